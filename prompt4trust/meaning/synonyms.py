"""Words that say the same whatever stands beside them: of two answers that differ in others no encoder joins any.

The list is of our own, short, and no physician has checked it. A pair belongs here only if no question tells its two
apart. So "aortic" is not "aorta" (aortic stenosis is one of the valve), "cancer" not "carcinoma" (a sarcoma is one,
too), "collapsed lung" not "atelectasis" (many mean a pneumothorax), and "cerebral" not "brain" (which has more parts).
"""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

from prompt4trust.meaning.normalised import normalised

_SAME: Final = (
    "lung | pulmonary | lung field",
    "liver | hepatic",
    "kidney | renal",
    "heart | cardiac",
    "spleen | splenic",
    "stomach | gastric",
    "pancreas | pancreatic",
    "uterus | uterine",
    "ovary | ovarian",
    "prostate | prostatic | prostate gland",
    "thyroid | thyroid gland",
    "trachea | tracheal | windpipe",
    "esophagus | esophageal | gullet",
    "larynx | laryngeal | voice box",
    "bladder | urinary bladder",
    "intestine | intestinal | bowel",
    "abdomen | abdominal | belly",
    "pelvis | pelvic",
    "thorax | thoracic | chest",
    "vertebra | vertebral",
    "bone | bony | osseous",
    "skin | cutaneous",
    "femur | femoral | thighbone | thigh bone",
    "tibia | tibial | shinbone | shin bone",
    "humerus | humeral",
    "clavicle | clavicular | collarbone | collar bone",
    "scapula | scapular | shoulder blade",
    "sternum | sternal | breastbone | breast bone",
    "patella | patellar | kneecap | knee cap",
    "spine | spinal column | vertebral column | backbone",
    "disc | disk",
    "tumor | neoplasm",
    "hemorrhage | bleeding | bleed",
    "infarction | infarct",
    "embolism | embolus",
    "fracture | fractured | broken",
    "dislocation | dislocated",
    "herniation | herniated",
    "stenosis | narrowing",
    "dilated | dilatation | dilation",
    "inflammation | inflamed",
    "enlarged | enlargement",
    "opacity | opacification",
    "cardiomegaly | enlarged heart | heart enlarged",
    "hepatomegaly | enlarged liver | liver enlarged",
    "splenomegaly | enlarged spleen | spleen enlarged",
    "goiter | enlarged thyroid | thyroid enlarged",
    "rib fracture | fracture rib",
    "disc herniation | herniation disc",
    "shoulder dislocation | dislocation shoulder",
    "hip dislocation | dislocation hip",
    "cholelithiasis | gallstone | gallbladder stone | stone in gallbladder",
    "nephrolithiasis | kidney stone | kidney calculus | stone in kidney",
    "appendicitis | inflammation appendix | appendix inflammation",
    "cholecystitis | inflammation gallbladder | gallbladder inflammation",
    "pancreatitis | inflammation pancreas | pancreas inflammation",
    "diverticulitis | inflammation diverticulum | diverticulum inflammation",
    "pneumothorax | air in pleural space",
    "pneumoperitoneum | free intraperitoneal air | intraperitoneal free air",
    "pleural effusion | pleural fluid | fluid in pleural space",
    "cirrhosis | liver cirrhosis",
    "fatty liver | liver steatosis",
    "heart attack | myocardial infarction",
    "stroke | cerebrovascular accident",
    "tuberculosis | tb",
    "osteoarthritis | degenerative joint disease",
    "hiatal hernia | hiatus hernia",
    "uterus fibroid | uterus leiomyoma | fibroid in uterus",
    "left upper lobe | left lung upper lobe",
    "left lower lobe | left lung lower lobe",
    "right upper lobe | right lung upper lobe",
    "right middle lobe | right lung middle lobe",
    "right lower lobe | right lung lower lobe",
    "mri | magnetic resonance",
    "pet | positron emission tomography | pet scan",
    "mammography | mammogram",
    "angiography | angiogram",
    "contrast agent | contrast medium | contrast material",
    "nasogastric tube | ng tube",
    "chest tube | thoracostomy tube",
    "central line | central venous line | central venous catheter",
    "pacemaker | cardiac pacemaker",
)


def _words_of() -> dict[str, str]:
    """List single words with the name of what they say."""
    found: dict[str, str] = {}
    for line in _SAME:
        name, *others = (normalised(each) for each in line.split("|"))
        if " " not in name:
            found |= {each: name for each in others if " " not in each}
    return found


_WORDS: Final = MappingProxyType(_words_of())


def _phrases_of() -> dict[tuple[str, ...], tuple[str, ...]]:
    """List phrases of named words with theirs, and single words whose name is a phrase."""
    found: dict[tuple[str, ...], tuple[str, ...]] = {}
    for line in _SAME:
        name, *others = (tuple(_WORDS.get(word, word) for word in normalised(each).split()) for each in line.split("|"))
        found |= {each: name for each in others if each != name}
    return found


_PHRASES: Final = MappingProxyType(_phrases_of())
_LONGEST: Final = max(map(len, _PHRASES))


def in_one_name(words: Sequence[str]) -> tuple[str, ...]:
    """Write words and phrases by one of the names that they have, each of them once and in their order.

    Args:
        words: Of an answer in one spelling (`normalised`).

    Returns:
        Words; those that are not listed stay.

    Example:
        >>> in_one_name(["pulmonary", "mass"]), in_one_name(["enlarged", "heart"]), in_one_name(["aortic", "stenosis"])
        (('lung', 'mass'), ('cardiomegaly',), ('aortic', 'stenosis'))
    """
    named = [_WORDS.get(word, word) for word in words]
    found: list[str] = []
    at = 0
    while at < len(named):
        for length in range(min(_LONGEST, len(named) - at), 0, -1):
            if name := _PHRASES.get(tuple(named[at : at + length])):
                found += name
                at += length
                break
        else:
            found.append(named[at])
            at += 1
    return tuple(found)
