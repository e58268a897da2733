from quadmix_assets.comparison.sizes import equal_sizes, same_size


def test_one_percent_is_the_same_size() -> None:
    assert same_size(1_000, 1_009) and same_size(1_009, 1_000)
    assert not same_size(1_000, 1_011)


def test_the_most_common_size_is_compared() -> None:
    sizes = {"natural": 2_300, "one": 1_000, "two": 1_005, "three": 995, "large": 9_000}
    assert equal_sizes(sizes, "natural") == ["one", "two", "three"]


def test_of_equally_common_sizes_it_is_that_of_production() -> None:
    sizes = {"a": 10, "b": 10, "c": 20, "production": 20}
    assert equal_sizes(sizes, "production") == ["c", "production"]
    assert equal_sizes({}, "production") == []
