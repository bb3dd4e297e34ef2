"""Writes shop.xlsx beside itself. Needs XlsxWriter 3.2.9."""

from datetime import datetime
from pathlib import Path

import xlsxwriter

book = xlsxwriter.Workbook(Path(__file__).with_name("shop.xlsx"))
book.set_properties({"created": datetime(2026, 1, 1)})
book.add_worksheet("Empty")
shop = book.add_worksheet("Shop")
shop.write_row(0, 0, ["title", "description", "price", "for two", "since", "in stock"])
shop.write_row(1, 0, ['Linen shirt, "wide"', "Größe M, color white.\nBrand: Nordlys.", 39.5])
shop.write_formula(1, 3, "=C2*2", None, 79)
shop.write_datetime(1, 4, datetime(2026, 3, 1), book.add_format({"num_format": "dd/mm/yyyy"}))
shop.write_boolean(1, 5, True)
shop.write_row(2, 0, ["Wool hat", "Size L. Brand: Halden.", 20])
shop.write_formula(2, 3, "=C3/0", None, "#DIV/0!")
book.close()
