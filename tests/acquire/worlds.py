"""What the local archive holds: small books, newspaper pages and a dataset, all made up here."""

import random

ENGLISH = """the of and to in that it was is he for with as his on at by had not but which from they this her
harbour lantern kettle orchard letter window garden river winter bread morning stone bridge market bell"""
FRENCH = "le la les des une dans pour avec sur pas plus mais nous vous ils cette fleuve hiver pain matin pierre pont"


def prose(seed: int, count: int = 400, words: str = ENGLISH) -> str:
    """Seeded sentences."""
    rng = random.Random(seed)
    sentences = [" ".join(rng.choices(words.split(), k=12)).capitalize() + "." for _ in range(count // 12 + 1)]
    return "\n\n".join(" ".join(sentences[i : i + 4]) for i in range(0, len(sentences), 4))


def gutenberg_text(title: str, body: str, head: str = "Language: English") -> bytes:
    """A book with its frame around it."""
    name = title.upper()
    return (
        f"The Project Gutenberg eBook of {title}\n\nTitle: {title}\n\n{head}\n\n"
        f"*** START OF THE PROJECT GUTENBERG EBOOK {name} ***\n\n{body}\n\n"
        f"*** END OF THE PROJECT GUTENBERG EBOOK {name} ***\nThe licence follows.\n"
    ).encode()


def rdf(number: int, title: str, author: str, died: int | None, extra: str = "", language: str = "en") -> bytes:
    """A record as Project Gutenberg writes it."""
    death = f"<pgterms:deathdate>{died}</pgterms:deathdate>" if died is not None else ""
    person = f"<pgterms:agent><pgterms:name>{author}</pgterms:name>{death}</pgterms:agent>"
    value = f"<rdf:Description><rdf:value>{language}</rdf:value></rdf:Description>"
    return f"""<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xml:base="http://www.gutenberg.org/" xmlns:dcterms="http://purl.org/dc/terms/"
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:pgterms="http://www.gutenberg.org/2009/pgterms/"
 xmlns:marcrel="http://id.loc.gov/vocabulary/relators/">
<pgterms:ebook rdf:about="ebooks/{number}"><dcterms:title>{title}</dcterms:title><dcterms:creator>{person}</dcterms:creator>
<dcterms:language>{value}</dcterms:language><dcterms:rights>Public domain in the USA.</dcterms:rights>
<dcterms:issued>2004-10-02</dcterms:issued>
<dcterms:subject><rdf:Description><rdf:value>Harbours -- Fiction</rdf:value></rdf:Description></dcterms:subject>{extra}
</pgterms:ebook></rdf:RDF>""".encode()
