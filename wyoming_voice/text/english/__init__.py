"""How an English speaker reads what is written with digits, signs, abbreviations or Cyrillic letters."""
