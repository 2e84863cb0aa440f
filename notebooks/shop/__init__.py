"""What the notebooks share.

- ``shop.data``: connect to DuckDB with Parquet files as views, write Parquet, show small tables.
- ``shop.source``: read the shop's real order lines, and say exactly what is wrong with a bad file.
- ``shop.faults``: find the first fault of a CSV file, with its line.
- ``shop.catalog``: invent customers and products.
- ``shop.simulate``: invent order lines and clicks, with dirt whose truth is known.
- ``shop.recommender``: fit, rank and judge.

Each module is imported only by the notebooks that use it, so that a notebook starts fast.
"""
