"""Errors and warnings carry what is known about them as values, and keep it when they change processes."""

import pickle
import warnings

import pytest

from mistworks.errors import MissingValuesError, MistworksError, MistworksWarning, warn


def test_a_warning_has_a_kind_and_a_text_without_its_remark() -> None:
    with pytest.warns(MistworksWarning) as caught:
        warn("7 of 9 points are copies", "repeated points", " (3 of 4 samples are such)")
    [message] = [each.message for each in caught]
    assert isinstance(message, MistworksWarning)
    assert str(message) == "7 of 9 points are copies (3 of 4 samples are such)"
    assert (message.text, message.kind) == ("7 of 9 points are copies", "repeated points")
    again = pickle.loads(pickle.dumps(message))
    assert (str(again), again.text, again.kind) == (str(message), message.text, message.kind)


def test_a_warning_of_another_package_has_no_kind() -> None:
    with pytest.warns(MistworksWarning) as caught:
        warnings.warn("hm", MistworksWarning, stacklevel=1)
    [message] = [each.message for each in caught]
    assert isinstance(message, MistworksWarning)
    assert (message.text, message.kind) == ("hm", "")


def test_missing_values_are_named_in_the_words_of_the_caller() -> None:
    error = MissingValuesError("Expected no missing values in x, got 3.", "them")
    assert isinstance(error, MistworksError)
    sentence = "Expected no missing values in x, got 3. Fill them, or pass {} to leave out their rows."
    assert str(error) == sentence.format("missing='drop'")
    assert error.naming("--missing drop") == sentence.format("--missing drop")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
