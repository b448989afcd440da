"""Tables of users: columns of CSV files; pairs of samples in Parquet files, and their estimates."""
