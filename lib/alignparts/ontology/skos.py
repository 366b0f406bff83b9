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
from alignparts.ontology.vocabulary import CategoryEntry, PartEntry, Vocabulary, spelling, words

BASE = "urn:alignparts:"


def turtle(raw: RawVocabulary, vocabulary: Vocabulary, base: str = BASE) -> str:
    """Return the vocabulary as Turtle, with the hierarchy of the raw names; equal input gives equal bytes.

    Raises:
        AlignPartsError: a base that is no absolute URI.
    """
    if not base.endswith(("/", "#", ":")) or ":" not in base or quote(base, safe=":/#?&=@%+~,;.-_") != base:
        raise AlignPartsError(f"'{base}': expected an absolute URI that ends in '/', '#' or ':', like {BASE}")
    return _Thesaurus(base).of(raw, vocabulary).serialize(format="turtle")


class _Thesaurus:
    """A graph of concepts under one scheme."""

    def __init__(self, base: str) -> None:
        self.base, self.graph = base, Graph()
        self.graph.bind("skos", SKOS)
        self.scheme = self._uri("-")

    def of(self, raw: RawVocabulary, vocabulary: Vocabulary) -> Graph:
        self._add(self.scheme, (RDF.type, SKOS.ConceptScheme), (SKOS.prefLabel, _text("parts of 3D objects")))
        for category in vocabulary.categories:
            entry = vocabulary.entries[category]
            top = self._concept(self._uri(category), category, entry)
            self._add(top, (SKOS.topConceptOf, self.scheme))
            self._add(self.scheme, (SKOS.hasTopConcept, top))
            for part, member in entry.parts.items():
                concept = self._concept(self._uri(category, part), part, member)
                for chain in raw.chains(member.aliases):
                    self._add(concept, (SKOS.broader, self._whole(category, chain)))
        return self.graph

    def _whole(self, category: str, chain: Chain) -> URIRef:
        """Return the concept of a whole, and add the wholes around it; an empty chain is the category."""
        if not chain:
            return self._uri(category)
        whole = self._uri(category, "-", *chain)  # no spelled name is a hyphen
        if (whole, RDF.type, SKOS.Concept) not in self.graph:
            self._concept(whole, chain[-1])
            self._add(whole, (SKOS.broader, self._whole(category, chain[:-1])))
        return whole

    def _concept(self, concept: URIRef, name: str, entry: CategoryEntry | PartEntry | None = None) -> URIRef:
        """Add a concept with its label and, for an entry, its definition and all names that mean it."""
        self._add(concept, (RDF.type, SKOS.Concept), (SKOS.inScheme, self.scheme))
        self._add(concept, (SKOS.prefLabel, _text(words(name))))
        if entry and entry.description:
            self._add(concept, (SKOS.definition, _text(entry.description)))
        for alias in entry.aliases if entry else ():
            other = words(spelling(alias.part or alias.category))
            if other != words(name):
                self._add(concept, (SKOS.altLabel, _text(other)))
            code = f"{alias.category}: {alias.part}" if alias.part else alias.category
            self._add(concept, (SKOS.notation, Literal(code, datatype=self._uri("-", alias.dataset))))
        return concept

    def _add(self, subject: URIRef, *facts: tuple[URIRef, URIRef | Literal]) -> None:
        for predicate, value in facts:
            self.graph.add((subject, predicate, value))

    def _uri(self, *steps: str) -> URIRef:
        return URIRef(self.base + "/".join(quote(step, safe="") for step in steps))


def _text(text: str) -> Literal:
    return Literal(text, lang="en")
