"""The server: OpenAI's HTTP API over local models, and the page that people talk with them on."""
