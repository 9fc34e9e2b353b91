using System.CommandLine;
using CsCheck;
using Distributed.Contracts;

namespace Distributed.Standalone.Tests;

public sealed class SpecificationOptionsTests
{
    private static readonly Gen<string> Paths = Gen.String[Gen.Char["abc ÄÖ'\"$-=,.;:#"], 1, 12]
        .Where(name => name.Trim().Length > 0 && name is not ("." or ".."))
        .Select(name => $"/data/{name}");

    private static readonly Gen<RunSpecification> Specifications =
        from dataset in Gen.OneOf(OneOf("sample", "clothing", "stl10"), Paths)
        from backbone in Gen.OneOf(OneOf("demo", "imagenet", "random"), Paths)
        from architecture in OneOf("", "densenet121", "densenet169", "densenet201", "densenet161")
            .Select(name => name.Length == 0 ? null : name)
        from size in Gen.Int[32, 1024]
        from fit in Gen.Enum<FitMode>()
        from precision in Gen.Enum<Precision>().Nullable()
        from head in Gen.Select(Gen.Enum<HeadKind>(), Gen.Int[1, 8192].Array[1, 4], Gen.Double[0, 0.999])
        from training in Gen.Select(Gen.Int[1, 10_000], Gen.Int[1, 65_536], Gen.Double[1e-12, 10], Gen.Double[0, 10], Gen.Int[1, 10_000])
        from fractions in Gen.Select(Gen.Double[0, 0.9], Gen.Double[0.001, 0.9])
        from fold in Gen.Int[0, 1000].Nullable()
        from seeds in Gen.Select(Gen.Int, Gen.Int)
        from topK in Gen.Int[1, 100]
        from report in Gen.Bool
        from skipped in Gen.Double[0, 1]
        select new RunSpecification
        {
            Dataset = dataset,
            Backbone = backbone,
            Architecture = architecture,
            InputSize = size,
            Fit = fit,
            Precision = precision,
            Head = new HeadSpecification
            {
                Kind = head.Item1,
                HiddenSizes = head.Item2,
                Dropout = head.Item3,
            },
            Training = new TrainingSpecification
            {
                Optimizer = HeadOptimizer.Adam,
                Epochs = training.Item1,
                BatchSize = training.Item2,
                LearningRate = training.Item3,
                WeightDecay = training.Item4,
                Patience = training.Item5,
            },
            ValidationFraction = fractions.Item1,
            TestFraction = fractions.Item2,
            Fold = fold,
            Seed = seeds.Item1,
            SplitSeed = seeds.Item2,
            TopK = topK,
            Report = report,
            MaxSkipped = skipped,
        };

    [Fact]
    public void The_command_line_of_a_specification_is_read_back_as_the_same_one() =>
        Specifications.Sample(
            specification =>
                Assert.Equal(ContractJson.Write(specification), ContractJson.Write(Read([.. RunCommandLine.Arguments(specification)]))),
            iter: 500
        );

    [Fact]
    public void Penalties_are_read_back_as_the_same_ones() =>
        Gen.Double[1e-9, 1e6]
            .Array[1, 20]
            .Sample(drawn =>
            {
                var specification = new RunSpecification
                {
                    Training = new TrainingSpecification
                    {
                        Optimizer = HeadOptimizer.Newton,
                        Penalties = [.. drawn.Distinct().OrderDescending()],
                    },
                };
                Assert.Equal(ContractJson.Write(specification), ContractJson.Write(Read([.. RunCommandLine.Arguments(specification)])));
            });

    [Fact]
    public void No_options_are_the_default_specification() =>
        Assert.Equal(ContractJson.Write(new RunSpecification()), ContractJson.Write(Read()));

    [Fact]
    public void Labels_are_read_too()
    {
        var read = Read("--name", "first", "--tag", "a", "--tag", "b", "--submitter", "me");

        Assert.Equal(("first", "a,b", "me"), (read.Name, string.Join(',', read.Tags), read.Submitter));
    }

    [Fact]
    public void Everything_that_is_out_of_range_is_told_at_once()
    {
        var error = Assert.Throws<CommandException>(() => Read("--epochs", "0", "--input-size", "7"));

        Assert.Equal(
            "--input-size is 7; it must be a whole number from 32 to 1024. --epochs is 0; it must be a whole number from 1 to 10000.",
            error.Message
        );
    }

    [Theory]
    [InlineData("--learning-rate", "0,001", "--learning-rate is '0,001'; it must be a number above 0, up to 10.")]
    [InlineData("--learning-rate", "1 ", "--learning-rate is '1 '")]
    [InlineData("--learning-rate", "fast", "--learning-rate is 'fast'")]
    [InlineData("--batch-size", "1,024", "--batch-size is '1,024'; it must be a whole number from 1 to 65536.")]
    [InlineData("--seed", "99999999999", "--seed is '99999999999'; it must be a whole number from -2147483648 to 2147483647.")]
    [InlineData("--penalties", "1, 0.1", "--penalties has an entry that is ' 0.1'; it must be a list of at most 100 numbers")]
    [InlineData("--penalties", "1,,0.1", "--penalties has an entry that is ''")]
    [InlineData(
        "--hidden-sizes",
        "5,x",
        "--hidden-sizes has an entry that is 'x'; it must be a list of 1 to 4 whole numbers from 1 to 8192."
    )]
    [InlineData("--hidden-sizes", "1,024", "--hidden-sizes has an entry that is '024', with a leading zero")]
    [InlineData("--report", "maybe", "--report is 'maybe'; it must be true or false.")]
    [InlineData("--fit", "1", "--fit is '1'; it must be crop, pad or stretch.")]
    [InlineData("--dataset", "", "--dataset is empty; it must be sample, clothing, stl10 or a path")]
    [InlineData("--backbone", " ", "--backbone is empty; it must be demo, imagenet, best, random or a path")]
    [InlineData("--tag", "", "--tag has the entry \"\"; it must be a list of at most 20 texts")]
    public void What_is_no_value_of_an_option_is_named_with_what_is_allowed(string option, string text, string said)
    {
        var error = Assert.Throws<CommandException>(() => Read(option, text));

        Assert.StartsWith(said, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Help_has_the_sentence_the_limits_and_the_default_of_every_setting()
    {
        var command = new Command("run");
        _ = new SpecificationOptions(command);

        Assert.Equal(RunSettings.All.Select(setting => setting.Option), command.Options.Select(option => option.Name));
        Assert.All(
            RunSettings.All,
            setting => Assert.StartsWith(setting.Help, command.Options.Single(option => option.Name == setting.Option).Description)
        );
        Assert.Equal("adam: step size; above 0, up to 10 [default: 0.001]", Describe("--learning-rate"));
        Assert.EndsWith(
            "; from 32 to 1024 [default: that of the backbone: 96 for demo and random, 256 for siglip2-base and mobilenetv4-medium, else 224]",
            Describe("--input-size")
        );
        Assert.EndsWith("; a list of 1 to 4 whole numbers from 1 to 8192 [default: 256]", Describe("--hidden-sizes"));
        Assert.Equal("newton|adam", command.Options.Single(option => option.Name == "--optimizer").HelpName);

        string Describe(string name) => command.Options.Single(option => option.Name == name).Description!;
    }

    [Fact]
    public void The_former_name_of_the_default_optimizer_is_read_as_if_none_were_given() =>
        Assert.Equal(
            [HeadOptimizer.Newton, HeadOptimizer.Adam, HeadOptimizer.Adam],
            new[]
            {
                Read("--optimizer", "auto"),
                Read("--optimizer", "auto", "--head", "mlp"),
                Read("--optimizer", "auto", "--epochs", "3"),
            }.Select(specification => specification.Training.Optimizer)
        );

    [Fact]
    public void An_option_whose_value_was_forgotten_does_not_take_the_next_ones_name_for_it()
    {
        var command = new Command("run") { new Option<string>("--volume") };
        _ = new SpecificationOptions(command);

        Assert.Equal(
            "--dataset has no value: --volume is the next option.",
            Assert.Single(command.Parse(["--dataset", "--volume"]).Errors).Message
        );
        Assert.Contains(
            command.Parse(["--dataset", "--volume", "X"]).Errors,
            error => error.Message == "--dataset has no value: --volume is the next option."
        );
    }

    private static Gen<string> OneOf(params string[] names) => Gen.Int[0, names.Length - 1].Select(i => names[i]);

    private static RunSpecification Read(params string[] arguments)
    {
        var command = new Command("run");
        var options = new SpecificationOptions(command);
        var result = command.Parse(arguments);
        Assert.Empty(result.Errors);
        return options.Read(result);
    }
}
