"""Front doors other than HTTP: how Wyoming and MQTT spell what ``speech.py`` does."""
