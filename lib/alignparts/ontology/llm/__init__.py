"""Questions to a language model: recorded replies first, then any OpenAI-compatible endpoint."""
