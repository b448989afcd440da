"""A table in a file, with holes, classes and dates, and a picture of a question. Writes both.

The shell commands beside this script ask the same file.
"""

import numpy as np
import pandas as pd

import mistworks

rng = np.random.default_rng(0)
n = 600
station = rng.choice(["north", "south", "coast"], n)
temperature = 12 + 6 * rng.standard_normal(n) + 4 * (station == "south")
wind = rng.gamma(2, 3, n)
ozone = 60 + 2 * np.maximum(temperature - 12, 0) - wind + 4 * rng.standard_normal(n)
table = pd.DataFrame(
    {
        "day": pd.date_range("2026-01-01", periods=n).strftime("%Y-%m-%d"),
        "station": station,
        "sensor_temperature": temperature.round(1),
        "sensor_wind": wind.round(1),
        "ozone": ozone.round(1),
    }
)
table.loc[rng.random(n) < 0.03, "sensor_wind"] = np.nan
table.to_csv("ozone.csv", index=False)

# --8<-- [start:picture]
table = pd.read_csv("ozone.csv")
axes = mistworks.plot(table["sensor_temperature"], table["ozone"])
axes[0].figure.savefig("ozone.png", dpi=100)
# --8<-- [end:picture]

print(f"left of the picture: {axes[0].get_title(loc='left')}")
