"""Names that programs gave: e-mail addresses, domains, entities of Home Assistant."""

from typing import Final

MAIL: Final = r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,5}"
HOST: Final = (
    r"(?P<host>(?:[\w-]{1,63}\.){1,5}(?:com|net|org|info|biz|io|ai|dev|app|ru|su|eu|uk|fr|de|pl|ua|kz|tv|edu|gov|local|lan|me|рф"
    r"|yml|yaml|json|txt|py|js|ts|md|pdf|csv|xml|html|htm|log|conf|cfg|ini|sh|zip|exe|doc|docx|png|jpg|jpeg|gif|svg|mp3|mp4|wav|flac|onnx))"
    r"(?![\w-])(?::(?P<port>\d{1,5}))?(?:/(?=\s|$))?"
)
ENTITY: Final = r"(?P<domain>[a-z][a-z_]{1,30})\.(?P<object>[a-z0-9]{1,40}(?:_[a-z0-9]{1,40}){0,12})(?![\w.]\w|\w)"

DOMAINS: Final = frozenset(
    """
    sensor binary_sensor light switch climate cover fan media_player automation script scene camera vacuum weather lock
    input_boolean input_number input_select input_text input_datetime input_button number select button text timer sun
    zone person device_tracker group alarm_control_panel humidifier remote siren update water_heater calendar todo event
    counter valve lawn_mower tts stt conversation notify image date time datetime
    """.split()
)
"""Domains of Home Assistant's entities: what is before the full stop."""
