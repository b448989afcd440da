"""A table as people have it: dates, classes, numbers that are classes, and holes."""

import numpy as np
import pandas as pd

import mistworks

rng = np.random.default_rng(0)
n = 600
day = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 365, n), unit="D")
season = np.cos(2 * np.pi * (day.day_of_year - 200) / 365)
site = rng.choice([1010, 4020, 8010], n)
visitors = rng.poisson(30 * np.exp(0.5 * season) * np.where(site == 8010, 2.0, 1.0)).astype(float)
table = pd.DataFrame({"day": day, "zip": site, "visitors": visitors})
table["weather"] = np.where(rng.random(n) < 0.5 + 0.4 * season, "dry", "wet")
table.loc[rng.random(n) < 0.1, "weather"] = None
table.loc[rng.random(n) < 0.05, "visitors"] = np.nan

# --8<-- [start:columns]
for column in ["day", "zip", "weather"]:
    estimate = mistworks.estimate(
        table[column], table["visitors"], missing="drop", classes=["zip"] if column == "zip" else []
    )
    print(f"{column:<8} {estimate!r}")
# --8<-- [end:columns]

# --8<-- [start:together]
together = mistworks.estimate(
    table[["day", "zip", "weather"]], table["visitors"], missing="drop", classes=["zip"]
)
low, high = together.interval(0.9, unit="bits")
print(
    f"all three: {together.bits:.2f} bits [{low:.2f}, {high:.2f}] from {together.n_used} of {len(table)} rows"
)
# --8<-- [end:together]
