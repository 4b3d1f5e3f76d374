"""Make the database that is shown: ``make_database.py FILE``."""

import sqlite3
import sys

with sqlite3.connect(sys.argv[1]) as db:
    db.execute("create table orders (id integer primary key, name text, total real, day text)")
    rows = [
        (number, f"Order {number:04}", number * 37 % 101, f"2026-03-{number % 28 + 1:02}") for number in range(2000)
    ]
    db.executemany("insert into orders values (?, ?, ?, ?)", rows)
