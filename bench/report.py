"""The tables of ./dev bench: medians, ratios and targets."""

from competitors import cost

# (workload, threads): targets of Cornu, as (figure, "at most" or "at least", value).
# floor: seconds relative to the floor. A peer's name: the peer's seconds relative to Cornu. speed-up: relative to one thread.
TARGETS = {
    ("W1", 1): [("floor", "at most", 1.10), ("by_hand", "at least", 1), ("libtorch", "at least", 1.8),
                ("numpy", "at least", 1.45), ("peak RSS, MB", "at most", 110)],
    ("W2", 1): [("floor", "at most", 1.06), ("by_hand", "at least", 1), ("libtorch", "at least", 1.3),
                ("numpy", "at least", 1.2)],
    ("W3", 1): [("floor", "at most", 1.02), ("by_hand", "at least", 1), ("libtorch", "at least", 1.04),
                ("numpy", "at least", 1.05)],
    ("W4", 1): [("by_hand", "at least", 1), ("numpy", "at least", 1 / 0.75)],
    ("W2", 2): [("speed-up", "at least", 1.6)],
    ("W3", 2): [("speed-up", "at least", 1.85)],
    ("W4", 2): [("numpy", "at least", 1 / 0.55)],
    ("W5a", 1): [("libtorch", "at least", 3)],
    ("W5b", 1): [("libtorch", "at least", 4)],
    ("W5a", 2): [("libtorch", "at least", 3)],
    ("W5b", 2): [("libtorch", "at least", 4)],
    ("W6a", 1): [("microseconds", "at most", 3.2), ("share of the floor", "at least", 0.95)],
    ("W6b", 1): [("microseconds", "at most", 30), ("share of the floor", "at least", 0.95)],
}

COLUMNS = ["workload", "threads", "program", "s/epoch", "samples/s", "batch of 1, us (p99)", "accuracy", "RSS, MB",
           "over floor", "over cornu", "round trip, ns"]


def shown(value, form):
    return "" if value is None else format(value, form)


def row(record, by_name):
    threads = record["threads"]
    floor, cornu = (by_name.get((record["workload"], threads, name)) for name in ("floor", "cornu"))
    single = record["median_us"]
    return [record["workload"], str(threads or "auto"), record["program"], shown(record["seconds_per_epoch"], ".4f"),
            shown(record["samples_per_second"], ".0f"),
            "" if single is None else f"{single:.2f} ({record['p99_us']:.2f})", shown(record["test_accuracy"], ".4f"),
            shown(record["peak_rss_mb"], ".0f"), shown(cost(record) / cost(floor) if floor else None, ".3f"),
            shown(cost(record) / cost(cornu) if cornu else None, ".3f"), shown(record["round_trip_ns"], ".0f")]


def measured(against, record, by_name):
    """The figure of a target, or None if the program that it compares with did not run."""
    if against == "microseconds":
        return record["median_us"]
    if against == "peak RSS, MB":
        return record["peak_rss_mb"]
    threads = 1 if against == "speed-up" else record["threads"]
    name = {"speed-up": "cornu", "share of the floor": "floor"}.get(against, against)
    other = by_name.get((record["workload"], threads, name))
    if other is None:
        return None
    if against == "share of the floor":
        return record["samples_per_second"] / other["samples_per_second"]
    return cost(record) / cost(other) if against == "floor" else cost(other) / cost(record)


def verdict(figure, bound, target):
    return "" if (figure <= target if bound == "at most" else figure >= target) else "missed"


def by_names(records):
    return {(record["workload"], record["threads"], record["program"]): record for record in records}


def verdicts(records):
    """Yields workload, threads, what Cornu is compared with, figure, "at most" or "at least", target, and the round trip
    between two threads."""
    by_name = by_names(records)
    for (workload, threads), targets in TARGETS.items():
        record = by_name.get((workload, threads, "cornu"))
        for against, bound, target in targets if record else []:
            figure = measured(against, record, by_name)
            if figure is not None:
                yield workload, threads, against, figure, bound, target, record["round_trip_ns"]


def print_table(heads, rows):
    rows = [heads, ["---"] * len(heads), *rows]
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    for cells in rows:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths)) + " |")
    print()


def show_sweep(records):
    """Compares several threads with one: at no batch size may they be more than 3% slower."""
    single = {record["batch"]: record for record in records if record["threads"] == 1}
    rows = []
    for record in records:
        if record["threads"] != 1:
            ratio = record["seconds_per_epoch"] / single[record["batch"]]["seconds_per_epoch"]
            rows.append([str(record["batch"]), str(record["threads"] or "auto"),
                         f"{single[record['batch']]['seconds_per_epoch']:.4f}", f"{record['seconds_per_epoch']:.4f}",
                         f"{ratio:.3f}", shown(record["round_trip_ns"], ".0f"), verdict(ratio, "at most", 1.03)])
    print_table(["batch", "threads", "s/epoch on one", "s/epoch", "ratio, at most 1.03", "round trip, ns", ""], rows)


def show(figures):
    machine = figures["machine"]
    records = figures.get("records") or figures["sweep"]
    data = sorted({record["data"] for record in records} - {"none"})
    print(f"{machine['command']}, {machine['date']}, {machine['processor']}, {machine['cores']} cores, "
          f"{' and '.join(data)}\n")
    if "sweep" in figures:
        show_sweep(records)
        return
    by_name = by_names(records)
    print_table(COLUMNS, [row(record, by_name) for record in records])
    print_table(["workload", "threads", "cornu against", "figure", "target", "round trip, ns", ""],
                [[workload, str(threads), against, f"{figure:.3f}", f"{bound} {target:.3g}", shown(round_trip, ".0f"),
                  verdict(figure, bound, target)]
                 for workload, threads, against, figure, bound, target, round_trip in figures["targets"]])
    if "costs" in figures:
        print_table(["other costs", "figure", "target", ""],
                    [[what, f"{figure:.2f}", f"{bound} {target:g}", verdict(figure, bound, target)]
                     for what, figure, bound, target in figures["costs"]])
