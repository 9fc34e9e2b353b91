using CsCheck;

namespace Distributed.Registry.Tests;

public sealed class NameTests
{
    [Theory]
    [InlineData("shapes@champion", "shapes", "champion", null)]
    [InlineData("a.b-c_d@17", "a.b-c_d", "17", 17)]
    public void A_reference_is_a_name_and_an_alias_or_a_number(string text, string name, string version, int? number)
    {
        var reference = ModelReference.Parse(text);

        Assert.Equal((name, version, number), (reference.Name, reference.Version, reference.Number));
        Assert.Equal(text, reference.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("shapes")]
    [InlineData("shapes@")]
    [InlineData("@champion")]
    [InlineData("shapes@champion@1")]
    [InlineData("Shapes@champion")]
    [InlineData("shapes@0")]
    [InlineData("shapes@-1")]
    [InlineData("shapes@99999999999")]
    [InlineData("../shapes@1")]
    [InlineData("-shapes@1")]
    public void Anything_else_is_refused_with_an_example(string text) =>
        Assert.Contains(
            "shapes@champion",
            Assert.Throws<RegistryException>(() => ModelReference.Parse(text)).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void Any_text_is_read_or_refused() =>
        Gen.String[0, 100]
            .Sample(text =>
            {
                try
                {
                    var reference = ModelReference.Parse(text);
                    Assert.Equal(text, reference.ToString());
                    Assert.Matches("^[a-z0-9._-]+@[a-z0-9._-]+$", text);
                }
                catch (RegistryException exception)
                {
                    Assert.Equal(RegistryProblem.Invalid, exception.Problem);
                }
            });

    [Fact]
    public void An_alias_is_no_number() => Assert.False(ModelNames.IsAlias("12"));
}
