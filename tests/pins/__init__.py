"""What a change of the code must not change: measured here, and compared with what expected/ holds.

`python -m tests.pins [NAME …]` measures anew and writes the files, all of them or those named. Do that only
where the change is meant: after new weights `python -m tests.pins estimates shipped`, after another
meta-distribution `python -m tests.pins stores`, after an option was added `python -m tests.pins commands`.
"""
