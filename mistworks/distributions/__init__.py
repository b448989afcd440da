"""Joint distributions whose mutual information is known, their families, and meta-distributions over them."""

from typing import Annotated

from pydantic import Field

from mistworks.distributions.additive import AdditiveNoise, AdditiveNoiseFamily
from mistworks.distributions.atoms import Atoms, AtomsFamily
from mistworks.distributions.base import Family, JointDistribution
from mistworks.distributions.beta_binomial import BetaBinomial, BinomialFamily, Binomials
from mistworks.distributions.bits import Bits, BitsFamily
from mistworks.distributions.carried import Carried, CarriedFamily
from mistworks.distributions.cells import Cells, CellsFamily
from mistworks.distributions.channel import Channel, ChannelFamily
from mistworks.distributions.checkerboard import Checkerboard, CheckerboardFamily
from mistworks.distributions.clouds import Clouds, CloudsFamily
from mistworks.distributions.copies import Copies, CopiesFamily
from mistworks.distributions.couplings import CouplingFamily, coupling_table, greedy_coupling
from mistworks.distributions.dispersion import (
    Dense,
    Factor,
    LatentVariable,
    RandomPairs,
    Sparse,
    TwoPair,
)
from mistworks.distributions.independent import Independent, IndependentFamily
from mistworks.distributions.label_samplers import FlowSampler, RecordedSampler, RowsSampler
from mistworks.distributions.labelled import LabelledFamily, PairsByLabel
from mistworks.distributions.labels import Labels, LabelsFamily
from mistworks.distributions.mixture import Mixture, MixtureFamily
from mistworks.distributions.normal import Normal, NormalFamily
from mistworks.distributions.observed import Observed, ObservedFamily
from mistworks.distributions.pairs import Pairs, PairsFamily
from mistworks.distributions.priors import LogUniform, Uniform, UniformInteger
from mistworks.distributions.readouts import Readouts, ReadoutsFamily
from mistworks.distributions.strong import SharpPair, Strong, StrongFamily
from mistworks.distributions.student import Student, StudentFamily
from mistworks.distributions.transforms import TRANSFORMS, Transform

AnyFamily = Annotated[
    NormalFamily
    | StudentFamily
    | AdditiveNoiseFamily
    | CheckerboardFamily
    | CellsFamily
    | PairsFamily
    | AtomsFamily
    | MixtureFamily
    | ChannelFamily
    | ReadoutsFamily
    | IndependentFamily
    | ObservedFamily
    | LabelsFamily
    | CloudsFamily
    | BitsFamily
    | StrongFamily
    | CopiesFamily
    | CouplingFamily
    | BinomialFamily
    | LabelledFamily
    | CarriedFamily,
    Field(discriminator="family"),
]
"""Every family that a meta-distribution can name. Add a family as a file and an entry here."""

__all__ = [
    "TRANSFORMS",
    "AdditiveNoise",
    "AdditiveNoiseFamily",
    "AnyFamily",
    "Atoms",
    "AtomsFamily",
    "BetaBinomial",
    "BinomialFamily",
    "Binomials",
    "Bits",
    "BitsFamily",
    "Carried",
    "CarriedFamily",
    "Cells",
    "CellsFamily",
    "Channel",
    "ChannelFamily",
    "Checkerboard",
    "CheckerboardFamily",
    "Clouds",
    "CloudsFamily",
    "Copies",
    "CopiesFamily",
    "CouplingFamily",
    "Dense",
    "Factor",
    "Family",
    "FlowSampler",
    "Independent",
    "IndependentFamily",
    "JointDistribution",
    "LabelledFamily",
    "Labels",
    "LabelsFamily",
    "LatentVariable",
    "LogUniform",
    "Mixture",
    "MixtureFamily",
    "Normal",
    "NormalFamily",
    "Observed",
    "ObservedFamily",
    "Pairs",
    "PairsByLabel",
    "PairsFamily",
    "RandomPairs",
    "Readouts",
    "ReadoutsFamily",
    "RecordedSampler",
    "RowsSampler",
    "SharpPair",
    "Sparse",
    "Strong",
    "StrongFamily",
    "Student",
    "StudentFamily",
    "Transform",
    "TwoPair",
    "Uniform",
    "UniformInteger",
    "coupling_table",
    "greedy_coupling",
]
