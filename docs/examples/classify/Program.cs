// Classifies images with a model's package: dotnet run -- flowers-3.zip rose.jpg tulip.jpg
using Distributed.Imaging;
using Distributed.Inference;

if (args.Length < 2)
{
    Console.Error.WriteLine("usage: classify PACKAGE IMAGE…");
    return 2;
}

using var model = ImageClassifier.Load(args[0]);
foreach (var path in args[1..])
{
    using var image = File.OpenRead(path);
    try
    {
        var result = model.Predict(image);
        Console.WriteLine(FormattableString.Invariant($"{path}\t{result.Class}\t{result.Probability:0.0000}"));
    }
    catch (ImageRejectedException exception)
    {
        Console.Error.WriteLine($"{path}: {exception.Message}");
    }
}

return 0;
