"""Redaction: what is a secret (`rules`, `names`), where it stands (`places`), and how it is taken out.

`values` finds what looks like a secret, `text`, `jsons` and `bodies` what has a sensitive name.
"""
