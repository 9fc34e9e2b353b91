namespace Distributed.Contracts.Tests;

public sealed class StrictTextTests
{
    [Theory]
    [InlineData("0.001", 0.001)]
    [InlineData("-3", -3)]
    [InlineData("+.5", 0.5)]
    [InlineData("1e-3", 1e-3)]
    [InlineData("007", 7)]
    public void Numbers_are_read_in_the_invariant_culture(string text, double value)
    {
        Assert.True(StrictText.TryParseNumber(text, out var read));
        Assert.Equal(value, read);
    }

    [Theory]
    [InlineData("0,001")]
    [InlineData("1,000")]
    [InlineData("1 000")]
    [InlineData("1\u00A0000")]
    [InlineData("1_000")]
    [InlineData("1'000")]
    [InlineData(" 1")]
    [InlineData("1 ")]
    [InlineData("1\n")]
    [InlineData("1\0")]
    [InlineData("")]
    [InlineData(null)]
    [InlineData("NaN")]
    [InlineData("Infinity")]
    [InlineData("1e999")]
    [InlineData("0x10")]
    [InlineData("١")]
    [InlineData("1.2.3")]
    [InlineData("--1")]
    [InlineData("$1")]
    [InlineData("(1)")]
    [InlineData("50%")]
    public void What_another_culture_or_a_careless_parser_would_take_is_no_number(string? text)
    {
        Assert.False(StrictText.TryParseNumber(text, out _));
        Assert.False(StrictText.TryParseInteger(text, out _));
    }

    [Theory]
    [InlineData("1.0")]
    [InlineData("1e3")]
    [InlineData("9223372036854775808")]
    public void A_whole_number_has_digits_only(string text) => Assert.False(StrictText.TryParseInteger(text, out _));

    [Theory]
    [InlineData("00:00:10", 10)]
    [InlineData("1.00:00:00.500", 86400.5)]
    public void A_length_of_time_has_hours_minutes_and_seconds(string text, double seconds)
    {
        Assert.True(StrictText.TryParseTime(text, out var read));
        Assert.Equal(seconds, read.TotalSeconds);
    }

    [Theory]
    [InlineData("10")]
    [InlineData("00:10")]
    [InlineData("10 s")]
    [InlineData("00:61:00")]
    public void A_bare_number_is_no_length_of_time(string text) => Assert.False(StrictText.TryParseTime(text, out _));

    [Theory]
    [InlineData("Devise", "Device")]
    [InlineData("inputsize", "inputSize")]
    [InlineData("shard_images", "ShardImages")]
    [InlineData("colour", null)]
    public void The_nearest_name_is_what_was_most_likely_meant(string written, string? meant) =>
        Assert.Equal(meant, StrictText.Nearest(written, ["Device", "Threads", "ShardImages", "inputSize"]));
}
