"""Silero's models and voices, by the names that its authors publish: nothing of torch is loaded here.

Their list: https://github.com/snakers4/silero-models#models-and-speakers. A model is one file, ``<id>.pt``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .protocol import Options
from .voices import EngineVoice
from .weights import DEFAULT_MODELS, weights_folder

RATES: Final = (8_000, 24_000, 48_000)
"""Hertz that the packages of versions 3 to 5 can make."""
RANDOM: Final = "random"
"""The speaker of versions 3 and 4 that is drawn by lot."""
_FREE: Final = "MIT"
_NOT_FREE: Final = "CC BY-NC 4.0: not for commercial use"


@dataclass(frozen=True, slots=True)
class SileroModel:
    """A published model."""

    languages: tuple[str, ...]
    """BCP 47; none: each speaker's name begins with a code of its own."""
    speakers: tuple[str, ...]
    licence: str = _NOT_FREE


_RU: Final = ("xenia", "kseniya", "baya", "aidar", "eugene")
_RU_RANDOM: Final = SileroModel(("ru",), (*_RU, RANDOM))
_CIS: Final = tuple(
    """aze_gamat hye_zara bak_aigul bak_alfia bak_alfia2 bak_miyau bak_ramilia bel_anatoliy bel_dmitriy bel_larisa
    kat_vika kbd_eduard kaz_zhadyra kaz_zhazira xal_kejilgan xal_kermen kir_nurgul mdf_oksana tgk_onaoy tgk_safarhuja
    tat_albina tat_marat udm_bogdan uzb_saida ukr_igor ukr_roman kjh_karina kjh_sibday chv_ekaterina erz_alexandr
    sah_zinaida""".split()
)
_CIS_BASE: Final = SileroModel((), (*(f"ru_{name.partition('_')[2]}" for name in _CIS), *_CIS), _FREE)
_CIS_EXT: Final = tuple(
    """kaz_abai kaz_aidana kaz_aisha kaz_bakir kaz_danara xal_delghir xal_erdni tat_adiba tat_alsou tat_amir tat_azat
    tat_batir tat_bulat tat_damir tat_guzel tat_ildar tat_ilgiz tat_karim tat_mansur tat_murat tat_rasima tat_rustem
    tat_timur tat_zifa tat_zufar tat_zulfiya uzb_anora uzb_dilnavoz ukr_kateryna ukr_lada ukr_mykyta ukr_oleksa
    ukr_tetiana chv_aihwa chv_alima""".split()
)
MODELS: Final = {
    **{f"v5{version}_ru": SileroModel(("ru",), _RU) for version in ("_5", "_4", "_3", "_2", "_1", "")},
    "v5_cis_base": _CIS_BASE,
    "v5_cis_base_nostress": _CIS_BASE,
    "v5_cis_ext": SileroModel((), _CIS_EXT),
    "v4_ru": _RU_RANDOM,
    "v3_1_ru": _RU_RANDOM,
    "ru_v3": _RU_RANDOM,
    "v4_ua": SileroModel(("uk",), ("mykyta", RANDOM)),
    "v3_ua": SileroModel(("uk",), ("mykyta", RANDOM)),
    "v4_uz": SileroModel(("uz",), ("dilnavoz",)),
    "v3_en": SileroModel(("en",), (*(f"en_{number}" for number in range(118)), RANDOM)),
    "v3_de": SileroModel(("de",), ("eva_k", "bernd_ungerer", "friedrich", "hokuspokus", "karlsson", RANDOM)),
    "v3_es": SileroModel(("es",), ("es_0", "es_1", "es_2", RANDOM)),
    "v3_fr": SileroModel(("fr",), (*(f"fr_{number}" for number in range(6)), RANDOM)),
    "v3_tt": SileroModel(("tt",), ("dilyara",)),
    "v3_xal": SileroModel(("xal",), ("erdni", "delghir")),
}
"""What is known of the published models, by id; the speakers of others are named by the option ``speakers``."""

_CODES: Final = {
    "aze": "az",
    "hye": "hy",
    "bak": "ba",
    "bel": "be",
    "kat": "ka",
    "kaz": "kk",
    "kir": "ky",
    "tgk": "tg",
    "tat": "tt",
    "uzb": "uz",
    "ukr": "uk",
    "chv": "cv",
    "ua": "uk",
}
"""Silero's codes that have a shorter one in BCP 47; others (``kbd``, ``sah``, ``udm`` …) are the same there."""


def silero_file(options: Options) -> Path | None:
    """Find the model that the options name: a file, ``<id>.pt`` in a folder of its name or beside it; None: absent."""
    place = weights_folder("silero", options)
    beside = place.with_name(f"{place.name}.pt")
    return next((path for path in (place, beside, place / f"{place.name}.pt") if path.is_file()), None)


def silero(options: Options) -> Sequence[EngineVoice]:
    """Return the speakers of the model that is here, its default first."""
    file = silero_file(options)
    if file is None:
        return ()
    named = options.get("speakers")
    model = MODELS.get(file.stem) or _unpublished(file.stem)
    speakers = tuple(str(name) for name in named) if isinstance(named, list | tuple) else model.speakers
    return [
        EngineVoice(
            name=f"silero-{speaker}",
            voice=speaker,
            languages=model.languages or (_language(speaker),),
            description=f"Silero · {speaker} ({file.stem}, {model.licence})",
            author="Silero Team",
            url="https://github.com/snakers4/silero-models",
            licence=model.licence,
            version=file.stem,
        )
        for speaker in speakers
    ]


def _unpublished(name: str) -> SileroModel:
    """Guess at a newer or somebody's own model by its id: ``v6_ru`` speaks Russian with the usual voices."""
    code = name.rpartition("_")[2]
    return SileroModel((_language(code),) if len(code) == 2 else (), _RU if code == "ru" else ())


def _language(speaker: str) -> str:
    code = speaker.partition("_")[0].lower()
    return _CODES.get(code, code)


def silero_missing(options: Options) -> str | None:
    """Say that the model or the names of its speakers are missing, and what to do."""
    file = silero_file(options)
    if file is None:
        model = options.get("model") or DEFAULT_MODELS["silero"]
        return (
            f"Silero's model {model} (licence: {silero_licence(options)}) is not at "
            f"{weights_folder('silero', options)}. Run: ./run.sh engines install silero --weights"
        )
    if not silero(options):
        return (
            f"The speakers of the Silero model {file.stem} are not known. "
            "Name them: engines: silero: options: speakers: [NAME, …]"
        )
    return None


def silero_licence(options: Options) -> str:
    """Return the licence of the model that the options name; of one that is not known, the stricter."""
    known = MODELS.get(Path(str(options.get("model") or DEFAULT_MODELS["silero"])).stem)
    return known.licence if known else _NOT_FREE
