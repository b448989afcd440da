mistworks estimate ozone.csv --x 'sensor_*' --y ozone --missing drop --unit bits
mistworks estimate ozone.csv --x sensor_wind --y ozone --given sensor_temperature,station --missing drop
mistworks matrix ozone.csv --missing drop
mistworks select ozone.csv --target ozone --missing drop
