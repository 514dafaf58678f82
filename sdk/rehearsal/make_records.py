#!/usr/bin/python3
"""Writes what goes over a CBP agreement beside stow plans, small, valid and invented: 80-column records and X12.

    make_records.py container-status > csm.edi      # X12 315
    make_records.py aes-commodity > aes.txt         # 80 columns, application XP
    make_records.py ace-transaction > ace.txt       # 80 columns
    make_records.py cbp-response > response.txt     # 80 columns
"""
import argparse
import sys
import time

SITE, FILER = "9999", "XYZ"
PASSWORD = "SECRET"  # columns 9 to 14 of a record A: nobody may ever see it


def record(*fields):
    """Of (column, text), columns from 1; 80 columns."""
    line = [" "] * 80
    for column, text in fields:
        line[column - 1:column - 1 + len(text)] = text
    return "".join(line) + "\n"


def batch(application, *between, date=None):
    """A record A, one block B to Y, and a record Z that repeats what A said."""
    date = date or time.strftime("%m%d%y", time.gmtime())
    head, block = ((2, SITE), (6, FILER)), ((4, "2704"), (8, FILER), (11, application))
    return "".join([record((1, "A"), *head, (9, PASSWORD), (15, date), (26, application)), record((1, "B"), *block), *between,
                    record((1, "Y"), *block), record((1, "Z"), *head, (15, date))]).encode()


def ace_transaction(number=1):
    return batch("FT", record((1, f"10A{number:07}")))


def aes_commodity(number=1):
    return batch("XP", record((1, "SC1"), (4, f"ACME{number:013}")), record((1, "CL1"), (4, "0001")))


def cbp_response(number=1):
    return batch("FT", record((1, f"90A{number:07}"), (12, "ACCEPTED")))


def container_status(number=1, break_=None):
    """An X12 315: a container was loaded. `break_`: "count" says one segment too many."""
    now = time.gmtime()
    body = [f"ST*315*{number:04}", "B4***VA*20260115*1030*USLAX*ACMU*123456*L*45G1*CHARLESTON*UN*7",
            f"N9*BM*ACME{number:08}", "Q2*9999993*US***20260115***601W***L*MV REHEARSAL", "R4*L*UN*USCHS*CHARLESTON*US"]
    body.append(f"SE*{len(body) + 1 + (break_ == 'count')}*{number:04}")
    segments = [f"ISA*00*{'':10}*00*{'':10}*ZZ*{'ACME':15}*ZZ*{'USCBP':15}*{time.strftime('%y%m%d*%H%M', now)}*U*00401*{number:09}*0*P*:",
                f"GS*QO*ACME*USCBP*{time.strftime('%Y%m%d*%H%M', now)}*{number}*X*004010", *body, f"GE*1*{number}",
                f"IEA*1*{number:09}"]
    return "".join(segment + "~\n" for segment in segments).encode()


KINDS = {"container-status": container_status, "aes-commodity": aes_commodity, "ace-transaction": ace_transaction,
         "cbp-response": cbp_response}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--number", type=int, default=1, help="of the interchange or batch; a partner takes each once")
    options = parser.parse_args()
    sys.stdout.buffer.write(KINDS[options.kind](options.number))


if __name__ == "__main__":
    main()
