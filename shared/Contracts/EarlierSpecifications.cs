using System.Text.Json;

namespace Distributed.Contracts;

/// <summary>What specifications of earlier versions say differently. They stand in catalogs and are sent by scripts, so they are still understood.</summary>
internal static class EarlierSpecifications
{
    /// <summary>
    /// Whether a specification that names no optimizer means Adam all the same: a linear head with one of Adam's settings changed did.
    /// </summary>
    public static bool MeansAdam(RunSpecification specification)
    {
        var defaults = new RunSpecification();
        return RunSettings.All.Any(setting =>
            setting.Optimizers.Contains(HeadOptimizer.Adam) && setting.TextOf(specification) != setting.TextOf(defaults)
        );
    }

    /// <summary>A stored text as the present version writes it, so that a submission that is repeated is recognised.</summary>
    /// <remarks>Where no architecture was given, the first versions wrote the one that was the default.</remarks>
    public static string Rewrite(string text)
    {
        try
        {
            var specification = ContractJson.Read(text);
            return ContractJson.Write(specification with { Architecture = specification.Architecture ?? "densenet121" });
        }
        catch (JsonException)
        {
            // Of a later version: equal if its text is.
            return text;
        }
    }
}
