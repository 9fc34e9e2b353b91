using System.Text.Json;
using CsCheck;

namespace Distributed.Contracts.Tests;

public sealed class RunSpecificationTests
{
    [Fact]
    public void A_linear_head_is_trained_by_newton_unless_a_setting_of_adam_is_given()
    {
        var linear = new RunSpecification();
        var mlp = new HeadSpecification { Kind = HeadType.Mlp };

        Assert.Equal(HeadOptimizer.Newton, linear.ResolveOptimizer());
        Assert.Equal(HeadOptimizer.Newton, (linear with { Training = new() { Penalties = [1, 0.5] } }).ResolveOptimizer());
        Assert.Equal(HeadOptimizer.Adam, (linear with { Head = mlp }).ResolveOptimizer());
        Assert.Equal(HeadOptimizer.Adam, (linear with { Training = new() { Optimizer = HeadOptimizer.Adam } }).ResolveOptimizer());
        foreach (var training in new TrainingSpecification[] { new() { Epochs = 3 }, new() { BatchSize = 8 }, new() { LearningRate = 0.1 }, new() { WeightDecay = 0 }, new() { Patience = 5 } })
        {
            Assert.Equal(HeadOptimizer.Adam, (linear with { Training = training }).ResolveOptimizer());
        }
    }

    [Fact]
    public void Settings_that_do_not_go_together_are_named()
    {
        void Refused(string field, HeadType head, TrainingSpecification training) =>
            Assert.Equal(field, Assert.Single(RunSpecificationRules.Validate(new RunSpecification { Head = new() { Kind = head }, Training = training })).Field);

        Refused("training.penalties", HeadType.Linear, new() { Penalties = [1, 1] });
        Refused("training.penalties", HeadType.Linear, new() { Penalties = [1, 0] });
        Refused("training.penalties", HeadType.Linear, new() { Penalties = [1], LearningRate = 0.1 });
        Refused("training.penalties", HeadType.Mlp, new() { Penalties = [1] });
        Refused("training.optimizer", HeadType.Mlp, new() { Optimizer = HeadOptimizer.Newton });
        Refused("training.optimizer", HeadType.Linear, new() { Optimizer = HeadOptimizer.Newton, Epochs = 3 });
        Refused("training.optimizer", HeadType.Linear, new() { Optimizer = (HeadOptimizer)9 });
    }

    [Fact]
    public void Text_that_is_not_in_UTF8_is_a_wrong_specification_and_no_failure()
    {
        foreach (var before in new[] { "{\"name\":\"", "{\"inputSize\":\"", "{\"" })
        {
            byte[] json = [.. System.Text.Encoding.UTF8.GetBytes(before), 0xFF, .. before.Length > 2 ? "\"}"u8 : "\":1}"u8];
            using var document = JsonDocument.Parse(json);

            Assert.Null(ContractJson.ReadSpecification(document.RootElement, out var errors));
            Assert.NotEmpty(Assert.Single(errors).Message);
        }
    }

    [Fact]
    public void What_a_refusal_quotes_is_cut()
    {
        Assert.Null(Read($$"""{"inputSize":"{{new string('x', 100_000)}}"}""", out var errors));
        Assert.InRange(Assert.Single(errors).Message.Length, 1, 1000);

        Assert.Null(Read($$"""{"tags":[{{string.Join(',', Enumerable.Repeat("\"\"", 10_000))}}]}""", out errors));
        Assert.InRange(errors.Count, 1, 30);
    }

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
    [InlineData("""{"report":"no"}""", "report", "no")]
    [InlineData("""{"learning_rate":1}""", "learning_rate", "spelling")]
    [InlineData("""{"precision":1}""", "precision", "precision")]
    [InlineData("""{"name":"a\u0000b"}""", "name", "control character")]
    [InlineData("""{"dataset":"a\nb"}""", "dataset", "control character")]
    [InlineData("""{"tags":["\u0007"]}""", "tags", "control character")]
    [InlineData("""{"name":"\ud800"}""", "name", "could not be converted")]
    [InlineData("""{"":1}""", "specification", "without a name")]
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
            from report in Gen.Bool
            from layers in Gen.Int[1, 8192].Array[1, 4]
            select new RunSpecification
            {
                InputSize = size,
                Seed = seed,
                Fold = fold,
                Report = report,
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
