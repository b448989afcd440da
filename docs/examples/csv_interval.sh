mistworks estimate patients.csv --x dose,age --y response
