using System.IO.Compression;
using System.Text;
using Distributed.Contracts;
using Distributed.Imaging;

namespace Distributed.Inference.Tests;

public sealed class ImageClassifierTests(ServedSample sample)
{
    [Fact]
    public async Task Its_answers_are_those_of_the_service()
    {
        using var model = ImageClassifier.Load(sample.Package);
        foreach (var image in sample.Images.Append(sample.Photo))
        {
            var expected = await sample.PredictAsync(image);
            using var stream = new MemoryStream(image);

            var result = model.Predict(stream);

            Assert.Equal(expected.Keys.Order(), result.Classes.Select(one => one.Class).Order());
            Assert.All(result.Classes, one => Assert.InRange(one.Probability - expected[one.Class], -1e-4, 1e-4));
            Assert.Equal(result.Classes.OrderByDescending(one => one.Probability), result.Classes);
            Assert.Equal(1, result.Classes.Sum(one => one.Probability), 1e-5);
            Assert.Equal((result.Class, result.Probability), (result.Classes[0].Class, result.Classes[0].Probability));
        }
    }

    [Fact]
    public void A_large_photo_is_decoded_as_the_package_says()
    {
        using var model = ImageClassifier.Load(sample.Package);

        Assert.Equal(JpegDecoding.Scaled, model.Model.Decoding);
        var scaled = ImageDecoder.Decode(sample.Photo, new ImagePreparation(96, FitMode.Crop, JpegDecoding.Scaled)).Pixels;
        Assert.NotEqual(ImageDecoder.Decode(sample.Photo, new ImagePreparation(96, FitMode.Crop, JpegDecoding.Full)).Pixels, scaled);
        Assert.Equal(model.PredictPixels(scaled).Classes, model.Predict(sample.Photo).Classes);
    }

    [Fact]
    public async Task Several_threads_get_the_answers_that_one_gets()
    {
        const int Threads = 8;
        const int Images = 20;
        using var model = ImageClassifier.Load(sample.Package);
        var expected = sample.Images.Select(image => model.Predict(image).Classes).ToList();

        await Task.WhenAll(
            Enumerable
                .Range(0, Threads)
                .Select(thread =>
                    Task.Run(() =>
                    {
                        for (var i = thread; i < thread + Images; i++)
                        {
                            Assert.Equal(expected[i % expected.Count], model.Predict(sample.Images[i % expected.Count]).Classes);
                        }
                    })
                )
        );
    }

    [Fact]
    public void A_model_says_what_it_is()
    {
        using var model = ImageClassifier.Load(sample.Package);

        Assert.Equal(("shapes", 1), (model.Model.Model, model.Model.Version));
        Assert.Equal(
            (96, FitMode.Crop, ResampleFilter.Bicubic, "fp32"),
            (model.Model.InputSize, model.Model.Fit, model.Model.Resampling, model.Model.Precision)
        );
        Assert.Equal(64, model.Model.Lineage.GetProperty("dataset").GetProperty("sha256").GetString()!.Length);
    }

    [Fact]
    public void What_is_no_image_is_refused_with_the_reason()
    {
        using var model = ImageClassifier.Load(sample.Package);

        var error = Assert.Throws<ImageRejectedException>(() => model.Predict("no image at all"u8));

        Assert.Equal(SkipReason.NotAnImage, error.Reason);
    }

    [Fact]
    public void Pixels_of_another_size_are_refused()
    {
        using var model = ImageClassifier.Load(sample.Package);

        var error = Assert.Throws<ArgumentException>(() => model.PredictPixels(new byte[12]));

        Assert.Contains("96 × 96 × 3", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_package_is_refused_with_what_it_is()
    {
        var text = sample.Server.Write("text.zip", "no zip file"u8.ToArray());
        Assert.Contains(
            "is no zip file",
            Assert.Throws<ModelFileException>(() => ImageClassifier.Load(text)).Message,
            StringComparison.Ordinal
        );

        var other = Rewrite("other.zip", package => package.GetEntry(ModelDescription.FileName)!.Delete());
        Assert.Contains(
            $"holds no {ModelDescription.FileName}",
            Assert.Throws<ModelFileException>(() => ImageClassifier.Load(other)).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public void A_package_of_a_later_version_asks_for_a_later_library()
    {
        var later = Rewrite(
            "later.zip",
            package =>
                Replace(package, ModelDescription.FileName, Encoding.UTF8.GetBytes("{\"format\": \"distributed-model/2\", \"more\": 1}"))
        );

        var error = Assert.Throws<ModelFileException>(() => ImageClassifier.Load(later));

        Assert.Contains("distributed-model/2", error.Message, StringComparison.Ordinal);
        Assert.Contains("later version", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_damaged_network_is_refused()
    {
        var damaged = Rewrite(
            "damaged.zip",
            package =>
            {
                using var content = new MemoryStream();
                using (var stream = package.GetEntry(ModelDescription.NetworkName)!.Open())
                {
                    stream.CopyTo(content);
                }

                var bytes = content.ToArray();
                bytes[bytes.Length / 2] ^= 1;
                Replace(package, ModelDescription.NetworkName, bytes);
            }
        );

        Assert.Contains(
            "is damaged",
            Assert.Throws<ModelFileException>(() => ImageClassifier.Load(damaged)).Message,
            StringComparison.Ordinal
        );
    }

    private string Rewrite(string name, Action<ZipArchive> change)
    {
        var path = sample.Server.Write(name, File.ReadAllBytes(sample.Package));
        using var package = ZipFile.Open(path, ZipArchiveMode.Update);
        change(package);
        return path;
    }

    private static void Replace(ZipArchive package, string name, byte[] content)
    {
        package.GetEntry(name)!.Delete();
        using var stream = package.CreateEntry(name).Open();
        stream.Write(content);
    }
}
