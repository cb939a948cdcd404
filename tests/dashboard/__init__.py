"""The dashboard: who may see it, what it shows, and what strangers write into it."""
