"""How a Russian speaker reads what is written with digits, signs, abbreviations or Latin letters."""
