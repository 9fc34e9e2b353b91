using System.Text.Json;
using System.Text.Json.Nodes;
using CsCheck;
using Distributed.Contracts;

namespace Distributed.Contracts.Tests;

public sealed class RunSpecificationTests
{
    [Theory]
    [InlineData("{}", HeadOptimizer.Newton)]
    [InlineData("""{"training":{"penalties":[1,0.5]}}""", HeadOptimizer.Newton)]
    [InlineData("""{"training":{"optimizer":"adam"}}""", HeadOptimizer.Adam)]
    [InlineData("""{"training":{"optimizer":"Adam","epochs":3}}""", HeadOptimizer.Adam)]
    [InlineData("""{"head":{"kind":"mlp"}}""", HeadOptimizer.Adam)]
    [InlineData("""{"head":{"kind":"mlp"},"training":{"epochs":3}}""", HeadOptimizer.Adam)]
    public void Without_an_optimizer_a_linear_head_is_trained_by_newton_and_an_mlp_by_adam(string json, HeadOptimizer optimizer)
    {
        var specification = Read(json, out var errors);

        Assert.Empty(errors);
        Assert.Equal(optimizer, specification!.Training.Optimizer);
        Assert.Contains(
            $"\"optimizer\":\"{optimizer.ToString().ToLowerInvariant()}\"",
            ContractJson.Write(specification),
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData("\"epochs\":3", HeadOptimizer.Adam)]
    [InlineData("\"batchSize\":8", HeadOptimizer.Adam)]
    [InlineData("\"learningRate\":0.1", HeadOptimizer.Adam)]
    [InlineData("\"weightDecay\":0", HeadOptimizer.Adam)]
    [InlineData("\"patience\":5", HeadOptimizer.Adam)]
    [InlineData("\"epochs\":100", HeadOptimizer.Newton)]
    [InlineData("\"penalties\":[1,0.5],\"epochs\":100", HeadOptimizer.Newton)]
    public void A_specification_of_an_earlier_version_that_names_no_optimizer_means_the_same_one(string settings, HeadOptimizer optimizer)
    {
        foreach (var before in new[] { "", "\"optimizer\":\"auto\",", "\"optimizer\":\"Auto\"," })
        {
            Assert.Equal(optimizer, Read($"{{\"training\":{{{before}{settings}}}}}", out _)?.Training.Optimizer);
            Assert.Equal(optimizer, ContractJson.Read($"{{\"training\":{{{before}{settings}}}}}").Training.Optimizer);
        }
    }

    [Fact]
    public void A_choice_that_is_left_to_the_system_is_auto_in_json_and_null_in_code()
    {
        Assert.Null(Read("{}", out _)!.Precision);
        Assert.Null(Read("""{"precision":"Auto"}""", out _)!.Precision);
        Assert.Equal(Precision.Bf16, Read("""{"precision":"bf16"}""", out _)!.Precision);
        Assert.Contains("\"precision\":\"auto\"", ContractJson.Write(new RunSpecification()), StringComparison.Ordinal);
        Assert.Contains(
            "\"precision\":\"fp16\"",
            ContractJson.Write(new RunSpecification { Precision = Precision.Fp16 }),
            StringComparison.Ordinal
        );

        Assert.Null(Read("""{"precision":null}""", out var errors));
        Assert.Equal("is null; it must be auto, fp32, bf16 or fp16", Assert.Single(errors).Message);
    }

    [Fact]
    public void The_name_of_a_choice_is_read_back_and_no_other_is()
    {
        Assert.All(Enum.GetValues<FitMode>(), choice => Assert.Equal(choice, ChoiceName.Parse<FitMode>(ChoiceName.Of(choice))));
        Assert.All(["Crop", "0", "crop,pad", ""], name => Assert.Throws<ArgumentException>(() => ChoiceName.Parse<FitMode>(name)));
    }

    [Theory]
    [InlineData("""{"training":{"penalties":[1,1]}}""", "training.penalties")]
    [InlineData("""{"training":{"penalties":[1,0]}}""", "training.penalties")]
    [InlineData("""{"training":{"penalties":[1],"learningRate":0.1}}""", "training.penalties")]
    [InlineData("""{"head":{"kind":"mlp"},"training":{"penalties":[1]}}""", "training.penalties")]
    [InlineData("""{"training":{"optimizer":"adam","penalties":[1]}}""", "training.penalties")]
    [InlineData("""{"head":{"kind":"mlp"},"training":{"optimizer":"newton"}}""", "training.optimizer")]
    [InlineData("""{"training":{"optimizer":"newton","epochs":3}}""", "training.epochs")]
    [InlineData("""{"training":{"optimizer":"newton","epochs":3,"patience":2}}""", "training.epochs,training.patience")]
    [InlineData("""{"training":{"optimizer":"sgd"}}""", "training.optimizer")]
    public void Settings_that_do_not_go_together_are_named(string json, string fields)
    {
        Assert.Null(Read(json, out var errors));

        Assert.Equal(fields, string.Join(',', errors.Select(error => error.Field)));
    }

    [Fact]
    public void A_stored_specification_that_is_not_understood_names_its_fields() =>
        Assert.Contains(
            "fieldOfALaterVersion",
            Assert.Throws<JsonException>(() => ContractJson.Read("""{"fieldOfALaterVersion":1}""")).Message,
            StringComparison.Ordinal
        );

    [Fact]
    public void Text_that_is_not_in_UTF8_is_a_wrong_specification_and_no_failure()
    {
        foreach (var before in new[] { "{\"name\":\"", "{\"inputSize\":\"", "{\"" })
        {
            byte[] json = [.. System.Text.Encoding.UTF8.GetBytes(before), 0xFF, .. before.Length > 2 ? "\"}"u8 : "\":1}"u8];
            using var document = JsonDocument.Parse(json);

            Assert.Null(RunSpecificationReader.Read(document.RootElement, out var errors));
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
    [InlineData("""{"pixelMean":[0.5,0.5,0.5]}""", "pixelMean", "three of each")]
    [InlineData("""{"channelOrder":"bgr"}""", "channelOrder", "pixelMean and pixelStd")]
    [InlineData("""{"dataset":" "}""", "dataset", "stl10")]
    [InlineData("""{"validationFraction":-0.1}""", "validationFraction", "-0.1")]
    [InlineData("""{"tags":null}""", "tags", "list")]
    [InlineData("""{"report":"no"}""", "report", "no")]
    [InlineData("""{"learning_rate":1}""", "learning_rate", "did you mean training.learningRate?")]
    [InlineData("""{"precision":1}""", "precision", "precision")]
    [InlineData("""{"name":"a\u0000b"}""", "name", "control character")]
    [InlineData("""{"dataset":"a\nb"}""", "dataset", "control character")]
    [InlineData("""{"tags":["\u0007"]}""", "tags", "control character")]
    [InlineData("""{"name":"\ud800"}""", "name", "no valid Unicode text")]
    [InlineData("""{"":1}""", "specification", "without a name")]
    [InlineData("[]", "specification", "JSON")]
    [InlineData("""{"inputSize":"224"}""", "inputSize", "is \"224\"; it must be a whole number from 32 to 1024")]
    [InlineData("""{"inputSize":96.5}""", "inputSize", "is 96.5; it must be a whole number")]
    [InlineData("""{"inputSize":null}""", "inputSize", "is null; it must be a whole number")]
    [InlineData("""{"seed":1,"seed":2}""", "seed", "is given twice")]
    [InlineData("""{"training":{"epochs":1,"epochs":1}}""", "training.epochs", "is given twice")]
    [InlineData("""{"epochs":3}""", "epochs", "did you mean training.epochs?")]
    [InlineData("""{"zzz":3}""", "zzz", "check its spelling")]
    [InlineData("""{"training":7}""", "training", "is 7; it must be a JSON object")]
    [InlineData(
        """{"head":{"hiddenSizes":[64,"x"]}}""",
        "head.hiddenSizes",
        "has an entry that is \"x\"; it must be a list of 1 to 4 whole numbers"
    )]
    [InlineData("""{"fit":"crop,pad"}""", "fit", "it must be crop, pad or stretch")]
    [InlineData("""{"training":{"learningRate":1e999}}""", "training.learningRate", "is 1e999; it must be a number above 0, up to 10")]
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
    public void Wrong_types_names_ranges_and_unknown_fields_are_told_at_once_in_plain_words()
    {
        Read(
            """{"fit":"squash","inputSize":-5,"seed":"1","seed":2,"head":{"kind":"forest","dropout":"half"},"training":{"optimizer":"newton","epoch":5},"report":1}""",
            out var errors
        );

        Assert.Equal(
            ["fit", "inputSize", "seed", "seed", "head.kind", "head.dropout", "training.epoch", "report"],
            errors.Select(error => error.Field)
        );
        Assert.All(errors, error => Assert.DoesNotMatch("System|Distributed|convert|Json[A-Z]", error.Message));
    }

    [Fact]
    public void Settings_that_do_not_go_together_are_told_beside_others_that_are_wrong()
    {
        Read("""{"inputSize":1,"training":{"optimizer":"newton","epochs":5}}""", out var errors);

        Assert.Equal(["inputSize", "training.epochs"], errors.Select(error => error.Field));
    }

    [Fact]
    public void A_specification_that_is_not_there_is_called_missing()
    {
        Assert.Null(RunSpecificationReader.Read(default(JsonElement), out var errors));

        Assert.Equal(
            new SpecificationError("specification", "is missing; give a JSON object, {} for the sample run"),
            Assert.Single(errors)
        );
    }

    [Theory]
    [InlineData("{}", 96)]
    [InlineData("""{"backbone":"random"}""", 96)]
    [InlineData("""{"backbone":"imagenet"}""", 224)]
    [InlineData("""{"backbone":"/data/weights.pth"}""", 224)]
    [InlineData("""{"inputSize":96,"backbone":"imagenet"}""", 96)]
    [InlineData("""{"inputSize":224}""", 224)]
    public void The_input_size_follows_the_backbone_where_it_is_not_given_and_is_recorded(string json, int size)
    {
        var specification = Read(json, out _)!;

        Assert.Equal(size, specification.InputSize);
        Assert.Contains($"\"inputSize\":{size},", ContractJson.Write(specification), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_setting_has_a_field_an_option_limits_and_help() =>
        Assert.All(
            RunSettings.All,
            setting =>
            {
                Assert.Same(setting, RunSettings.Find(setting.Field));
                Assert.Single(RunSettings.All, other => other.Option == setting.Option);
                Assert.Matches("^--[a-z-]+$", setting.Option);
                Assert.True(setting.Placeholder.Length > 0 && setting.Allowed.Length > 0 && setting.Since > 0, setting.Field);
                Assert.Matches(@"[^.]$", setting.Help);
                Assert.Matches(@"^$|\.$", setting.Details);
            }
        );

    [Fact]
    public void The_schema_has_every_limit_choice_and_default()
    {
        var properties = RunSettings.Schema()["properties"]!;

        Assert.Equal(
            """{"type":"integer","format":"int32","minimum":32,"maximum":1024}""",
            Without(properties["inputSize"]!, "description").ToJsonString()
        );
        Assert.Equal(
            """{"type":"string","enum":["crop","pad","stretch"],"default":"crop"}""",
            Without(properties["fit"]!, "description").ToJsonString()
        );
        Assert.Equal(
            """{"type":"number","exclusiveMinimum":0,"maximum":10,"default":0.001}""",
            Without(properties["training"]!["properties"]!["learningRate"]!, "description").ToJsonString()
        );
        Assert.Equal(
            """{"type":"array","minItems":1,"maxItems":4,"items":{"type":"integer","format":"int32","minimum":1,"maximum":8192},"default":[256]}""",
            Without(properties["head"]!["properties"]!["hiddenSizes"]!, "description").ToJsonString()
        );
        Assert.Equal(
            """{"type":["null","integer"],"format":"int32","minimum":1,"maximum":2592000}""",
            Without(properties["timeLimit"]!, "description").ToJsonString()
        );
        Assert.Equal("""["newton","adam"]""", properties["training"]!["properties"]!["optimizer"]!["enum"]!.ToJsonString());

        static JsonObject Without(JsonNode schema, string field)
        {
            var copy = schema.DeepClone().AsObject();
            Assert.True(copy.Remove(field));
            return copy;
        }
    }

    [Fact]
    public void A_written_specification_reads_back_the_same()
    {
        var generated =
            from size in Gen.Int[32, 1024]
            from seed in Gen.Int
            from rate in Gen.Double[1e-6, 10]
            from fold in Gen.Int[0, 9].Nullable()
            from kind in Gen.Enum<HeadKind>()
            from report in Gen.Bool
            from layers in Gen.Int[1, 8192].Array[1, 4]
            select new RunSpecification
            {
                InputSize = size,
                Seed = seed,
                Fold = fold,
                Report = report,
                Head = new HeadSpecification { Kind = kind, HiddenSizes = layers },
                Training = new TrainingSpecification { Optimizer = HeadOptimizer.Adam, LearningRate = rate },
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
        return RunSpecificationReader.Read(document.RootElement, out errors);
    }
}
