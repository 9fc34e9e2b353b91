using System.CommandLine;
using CsCheck;
using Distributed.Contracts;

namespace Distributed.Standalone.Tests;

public sealed class SpecificationOptionsTests
{
    private static readonly Gen<string> Paths = Gen.String[Gen.Char["abc ÄÖ'\"$-=,.;:#"], 1, 12]
        .Where(name => name.Trim().Length > 0 && name is not ("." or "..")).Select(name => $"/data/{name}");

    private static readonly Gen<RunSpecification> Specifications =
        from dataset in Gen.OneOf(OneOf("sample", "stl10"), Paths)
        from backbone in Gen.OneOf(OneOf("demo", "imagenet", "random"), Paths)
        from architecture in OneOf("", "densenet121", "densenet169", "densenet201", "densenet161").Select(name => name.Length == 0 ? null : name)
        from size in Gen.Int[32, 1024]
        from fit in Gen.Enum<ImageFit>()
        from precision in Gen.Enum<ExtractionPrecision>()
        from head in Gen.Select(Gen.Enum<HeadType>(), Gen.Int[1, 8192].Array[1, 4], Gen.Double[0, 0.999])
        from training in Gen.Select(Gen.Int[1, 10_000], Gen.Int[1, 65_536], Gen.Double[1e-12, 10], Gen.Double[0, 10], Gen.Int[1, 10_000])
        from fractions in Gen.Select(Gen.Double[0, 0.9], Gen.Double[0.001, 0.9])
        from fold in Gen.Int[0, 1000].Nullable()
        from seeds in Gen.Select(Gen.Int, Gen.Int)
        from topK in Gen.Int[1, 100]
        from report in Gen.Bool
        select new RunSpecification
        {
            Dataset = dataset,
            Backbone = backbone,
            Architecture = architecture,
            InputSize = size,
            Fit = fit,
            Precision = precision,
            Head = new HeadSpecification { Kind = head.Item1, HiddenSizes = head.Item2, Dropout = head.Item3 },
            Training = new TrainingSpecification
            {
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
        };

    [Fact]
    public void The_command_line_of_a_specification_is_read_back_as_the_same_one() =>
        Specifications.Sample(
            specification => Assert.Equal(ContractJson.Write(specification), ContractJson.Write(Read([.. RunCommandLine.Arguments(specification)]))),
            iter: 500);

    [Fact]
    public void Penalties_are_read_back_as_the_same_ones() =>
        Gen.Double[1e-9, 1e6].Array[1, 20].Sample(drawn =>
        {
            var specification = new RunSpecification
            {
                Training = new TrainingSpecification { Optimizer = HeadOptimizer.Newton, Penalties = [.. drawn.Distinct().OrderDescending()] },
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
        var error = Assert.Throws<CommandException>(() => Read("--epochs", "0", "--input-size", "7", "--architecture", "vgg"));

        Assert.Contains("architecture", error.Message);
        Assert.Contains("inputSize", error.Message);
        Assert.Contains("training.epochs", error.Message);
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
