using System.Text;
using System.Text.Json;
using Distributed.Contracts;

namespace Distributed.Fuzzing.Targets;

/// <summary>Run specifications: read, checked, written, and read again.</summary>
internal sealed class SpecificationTarget : FuzzTarget
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public override string Name => "specification";

    protected override IReadOnlyList<byte[]> Seeds { get; } = AsBytes([.. JsonSeeds.Specifications]);

    protected override IReadOnlyList<byte[]> Words => JsonSeeds.Words;

    public override bool Parse(byte[] input)
    {
        JsonDocument json;
        try
        {
            json = JsonDocument.Parse(input);
        }
        catch (JsonException)
        {
            // What is no JSON is refused before a specification is looked for.
            return false;
        }

        using (json)
        {
            return Check(json.RootElement);
        }
    }

    /// <summary>What holds of every JSON value, whichever way it came.</summary>
    public static bool Check(JsonElement json)
    {
        var specification = RunSpecificationReader.Read(json, out var errors);
        if (specification is null)
        {
            Promise(errors.Count is > 0 and <= 100, $"a refusal has {errors.Count} reasons");
            foreach (var error in errors)
            {
                Refuse(error.Field);
                Refuse(error.Message);
            }

            return false;
        }

        Promise(errors.Count == 0, "what is accepted has errors");
        foreach (
            var text in (string?[])
                [specification.Name, specification.Submitter, specification.Dataset, specification.Backbone, .. specification.Tags]
        )
        {
            Promise(text is null || !text.Any(char.IsControl), "a text has control characters, which databases refuse");
            Strict.GetByteCount(text ?? "");
        }

        var written = ContractJson.Write(specification);
        using var again = JsonDocument.Parse(written);
        Promise(
            RunSpecificationReader.Read(again.RootElement, out _) is { } read && ContractJson.Write(read) == written,
            "what was written is read as something else"
        );
        return true;
    }
}
