using System.Text.Json;
using CsCheck;

namespace Distributed.Contracts.Tests;

public sealed class RunSpecificationTests
{
    [Fact]
    public void An_empty_specification_is_the_sample_run()
    {
        var specification = Read("{}", out var errors);

        Assert.Empty(errors);
        Assert.Equal("sample", specification!.Dataset);
        Assert.Equal("demo", specification.Backbone);
    }

    [Theory]
    [InlineData("""{"inputSize":31}""", "inputSize", "32")]
    [InlineData("""{"training":{"learningRate":0}}""", "training.learningRate", "above 0")]
    [InlineData("""{"training":{"epochs":0}}""", "training.epochs", "from 1")]
    [InlineData("""{"head":{"dropout":1}}""", "head.dropout", "below 1")]
    [InlineData("""{"head":{"hiddenSizes":[]}}""", "head.hiddenSizes", "1 to 4")]
    [InlineData("""{"head":{"kind":"forest"}}""", "head.kind", "forest")]
    [InlineData("""{"architecture":"resnet18"}""", "architecture", "densenet121")]
    [InlineData("""{"dataset":" "}""", "dataset", "stl10")]
    [InlineData("""{"validationFraction":-0.1}""", "validationFraction", "-0.1")]
    [InlineData("""{"tags":null}""", "tags", "list")]
    [InlineData("""{"learning_rate":1}""", "learning_rate", "spelling")]
    [InlineData("""{"precision":1}""", "precision", "precision")]
    [InlineData("[]", "specification", "JSON")]
    public void A_wrong_field_is_named_with_what_is_allowed(string json, string field, string hint)
    {
        var specification = Read(json, out var errors);

        Assert.Null(specification);
        var error = Assert.Single(errors);
        Assert.True(error.Field == field || error.Message.Contains(field, StringComparison.Ordinal), $"{error.Field}: {error.Message}");
        Assert.Contains(hint, error.Field + error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void All_errors_are_told_at_once()
    {
        Read("""{"inputSize":1,"topK":0,"training":{"batchSize":0}}""", out var errors);

        Assert.Equal(["inputSize", "topK", "training.batchSize"], errors.Select(error => error.Field));
    }

    [Fact]
    public void A_written_specification_reads_back_the_same()
    {
        var generated =
            from size in Gen.Int[32, 1024]
            from seed in Gen.Int
            from rate in Gen.Double[1e-6, 10]
            from fold in Gen.Int[0, 9].Nullable()
            from kind in Gen.Enum<HeadType>()
            from layers in Gen.Int[1, 8192].Array[1, 4]
            select new RunSpecification
            {
                InputSize = size,
                Seed = seed,
                Fold = fold,
                Head = new HeadSpecification { Kind = kind, HiddenSizes = layers },
                Training = new TrainingSpecification { LearningRate = rate },
            };

        generated.Sample(specification =>
        {
            var json = ContractJson.Write(specification);
            var read = Read(json, out var errors);
            return errors.Count == 0 && ContractJson.Write(read!) == json;
        });
    }

    private static RunSpecification? Read(string json, out IReadOnlyList<SpecificationError> errors)
    {
        using var document = JsonDocument.Parse(json);
        return ContractJson.ReadSpecification(document.RootElement, out errors);
    }
}
