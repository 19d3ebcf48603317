"""Conversations with tools: which one to call, with which arguments, when to ask back, and when to call nothing."""
