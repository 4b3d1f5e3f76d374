"""How the handbook is made."""

project = "Handbook"
html_theme = "furo"
