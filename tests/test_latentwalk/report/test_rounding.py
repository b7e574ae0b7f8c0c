from latentwalk.report.rounding import plain, rounded


def test_the_minus_is_a_minus_and_zero_has_none():
    assert [rounded(value) for value in (1.234, -0.126, -0.004, 0.0)] == [
        "1.23",
        "−0.13",
        "0.00",
        "0.00",
    ]
    assert rounded(-84.4534, 1) == "−84.5"
    assert rounded(-0.6, 0) == "−1"


def test_a_program_reads_the_same_number():
    assert [plain(value) for value in (1.234, -0.126, -0.004)] == ["1.23", "-0.13", "0.00"]
