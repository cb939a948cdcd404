"""The dashboard, and what is reproduced, in a real Chromium."""
