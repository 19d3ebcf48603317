"""From seeds to a better model by one recipe: data, curation, training, measurement, quantisation, export, card, report."""
