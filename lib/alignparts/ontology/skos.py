"""The unified vocabulary as a SKOS thesaurus in Turtle.

One concept scheme; its top concepts are the categories. ``skos:broader`` leads from a part to the whole that
a data set says it lies in, and from there to the category: a part of several data sets has several broader
concepts, and no level of theirs is lost. Wholes are concepts of their own, told apart by their path; a whole
is never merged with a part of the same name, which is another level.

Every name that means a concept is an ``altLabel``. How a data set writes it, path and all, is a
``skos:notation`` whose datatype stands for the data set (SKOS Reference, section 6): the file alone resolves
every legacy name.
"""

from urllib.parse import quote

from rdflib import RDF, SKOS, Graph, Literal, URIRef

from alignparts.core.errors import AlignPartsError
from alignparts.ontology.raw import Chain, RawVocabulary
from alignparts.ontology.vocabulary import Alias, Vocabulary, spelling, words

BASE = "urn:alignparts:"
LANGUAGE = "en"


def turtle(raw: RawVocabulary, vocabulary: Vocabulary, base: str = BASE) -> str:
    """Return the vocabulary as Turtle; the same vocabulary gives the same bytes.

    Args:
        raw: the names before their unification, for the data sets' own hierarchy.
        vocabulary: the unified vocabulary.
        base: start of every URI, ending in ``/``, ``#`` or ``:``.

    Raises:
        AlignPartsError: a base that is no absolute URI.
    """
    if not base.endswith(("/", "#", ":")) or ":" not in base or quote(base, safe=":/#?&=@%+~,;.-_") != base:
        raise AlignPartsError(f"'{base}': expected an absolute URI that ends in '/', '#' or ':', like {BASE}")
    return _Thesaurus(base).of(raw, vocabulary).serialize(format="turtle")


class _Thesaurus:
    def __init__(self, base: str) -> None:
        self.base = base
        self.graph = Graph()
        self.graph.bind("skos", SKOS)
        self.scheme = self._uri("-")

    def of(self, raw: RawVocabulary, vocabulary: Vocabulary) -> Graph:
        self.graph.add((self.scheme, RDF.type, SKOS.ConceptScheme))
        self._label(self.scheme, "parts of 3D objects")
        for category in vocabulary.categories:
            entry = vocabulary.entries[category]
            top = self._concept(self._uri(category), category, entry.description)
            self.graph.add((self.scheme, SKOS.hasTopConcept, top))
            self.graph.add((top, SKOS.topConceptOf, self.scheme))
            for alias in entry.aliases:
                self._alias(top, category, alias)
            for part, member in entry.parts.items():
                concept = self._concept(self._uri(category, part), part, member.description)
                for chain in raw.chains(member.aliases):
                    self.graph.add((concept, SKOS.broader, self._whole(category, chain)))
                for alias in member.aliases:
                    self._alias(concept, part, alias)
        return self.graph

    def _whole(self, category: str, chain: Chain) -> URIRef:
        """Return the concept of a whole, and add the wholes around it; an empty chain is the category."""
        if not chain:
            return self._uri(category)
        whole = self._uri(category, "-", *chain)  # no spelled name is a hyphen
        if (whole, RDF.type, SKOS.Concept) not in self.graph:
            self._concept(whole, chain[-1], "")
            self.graph.add((whole, SKOS.broader, self._whole(category, chain[:-1])))
        return whole

    def _concept(self, concept: URIRef, name: str, description: str) -> URIRef:
        self.graph.add((concept, RDF.type, SKOS.Concept))
        self.graph.add((concept, SKOS.inScheme, self.scheme))
        self._label(concept, words(name))
        if description:
            self.graph.add((concept, SKOS.definition, Literal(description, lang=LANGUAGE)))
        return concept

    def _alias(self, concept: URIRef, name: str, alias: Alias) -> None:
        other = words(spelling(alias.part or alias.category))
        if other != words(name):
            self.graph.add((concept, SKOS.altLabel, Literal(other, lang=LANGUAGE)))
        code = f"{alias.category}: {alias.part}" if alias.part else alias.category
        dataset = self._uri("-", alias.dataset)
        self.graph.add((concept, SKOS.notation, Literal(code, datatype=dataset)))

    def _label(self, subject: URIRef, text: str) -> None:
        self.graph.add((subject, SKOS.prefLabel, Literal(text, lang=LANGUAGE)))

    def _uri(self, *steps: str) -> URIRef:
        return URIRef(self.base + "/".join(quote(step, safe="") for step in steps))
