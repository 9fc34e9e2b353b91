using CsCheck;
using Distributed.Contracts;

namespace Distributed.Inference.Tests;

public sealed class DamagedPackageTests(ServedSample sample)
{
    private const int Trials = 60;

    /// <summary>
    /// A single wrong bit anywhere, or a cut, is noticed, or changes nothing that matters: the network is that of the package or is
    /// refused.
    /// </summary>
    [Fact]
    public void A_package_that_is_cut_or_damaged_anywhere_is_refused_or_whole()
    {
        var whole = File.ReadAllBytes(sample.Package);
        var expected = Description(sample.Package);
        var path = Path.Combine(sample.Server.Folder, "property.zip");
        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Int[0, 7], Gen.Bool)
            .Sample(
                (at, bit, isCut) =>
                {
                    var damaged = isCut ? whole[..at] : (byte[])whole.Clone();
                    if (!isCut)
                    {
                        damaged[at] ^= (byte)(1 << bit);
                    }

                    File.WriteAllBytes(path, damaged);
                    try
                    {
                        Assert.Equal(expected, Description(path));
                    }
                    catch (ModelFileException)
                    {
                        // Refused.
                    }
                },
                iter: Trials,
                threads: 1
            );
    }

    private static (string, int, string, string) Description(string path)
    {
        using var model = ImageClassifier.Load(path);
        ModelDescription read = model.Model;
        return (read.Model, read.InputSize, read.NetworkSha256, string.Join(',', read.Classes));
    }
}
