from quadmix_assets.mix.summary import domain_table


def test_shares_are_of_all_tokens_before_and_after() -> None:
    table = domain_table(
        {
            "domains": ["law", "cooking", "unknown"],
            "n_tokens_in_per_domain": [600, 300, 100],
            "n_tokens_out_per_domain": [50, 150, 0],
        }
    )
    assert table["domain"].to_list() == ["law", "cooking", "unknown"]
    assert table["n_tokens_in"].to_list() == [600, 300, 100]
    assert table["n_tokens_out"].to_list() == [50, 150, 0]
    assert table["share_in"].to_list() == [0.6, 0.3, 0.1]
    assert table["share_out"].to_list() == [0.25, 0.75, 0.0]


def test_empty_mix_has_shares_of_nothing() -> None:
    table = domain_table(
        {"domains": ["law"], "n_tokens_in_per_domain": [0], "n_tokens_out_per_domain": [0]}
    )
    assert table.rows() == [("law", 0, 0, 0.0, 0.0)]
