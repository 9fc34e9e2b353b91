using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;

namespace Distributed.Datasets.Tests;

public sealed class ConfinementTests : IDisposable
{
    private readonly TemporaryDirectory _allowed = new();
    private readonly TemporaryDirectory _elsewhere = new();

    public void Dispose()
    {
        _allowed.Dispose();
        _elsewhere.Dispose();
    }

    [Fact]
    public void A_path_inside_a_root_is_its_own_real_path()
    {
        var file = _allowed.Write("set/weights.pth", [1]);
        File.CreateSymbolicLink(_allowed.At("link"), file);
        var roots = new DataRoots([_allowed.Root]);

        Assert.Equal(file, roots.Resolve(_allowed.At("set", "..", "link")));
        Assert.Equal(_allowed.Root, roots.Resolve(_allowed.Root));
    }

    [Fact]
    public void What_leads_out_of_the_roots_is_refused_whichever_way()
    {
        var secret = _elsewhere.Write("secret", [1]);
        // Beside the root, under a name that begins with the root's.
        var sibling = _allowed.Root + "-private";
        Directory.CreateDirectory(sibling);
        try
        {
            File.CreateSymbolicLink(_allowed.At("file"), secret);
            Directory.CreateSymbolicLink(_allowed.At("folder"), _elsewhere.Root);
            File.CreateSymbolicLink(_allowed.At("chain"), _allowed.At("file"));
            File.CreateSymbolicLink(_allowed.At("relative"), Path.Combine("..", Path.GetFileName(_elsewhere.Root), "secret"));
            var roots = new DataRoots([_allowed.Root]);

            foreach (
                var path in new[]
                {
                    secret,
                    sibling,
                    "/",
                    "/proc/self/environ",
                    _allowed.At("..", Path.GetFileName(_elsewhere.Root), "secret"),
                    _allowed.At("file"),
                    _allowed.At("folder", "secret"),
                    _allowed.At("chain"),
                    _allowed.At("relative"),
                }
            )
            {
                var refused = Assert.Throws<DatasetException>(() => roots.Resolve(path));
                Assert.Contains("Data:Roots", refused.Message, StringComparison.Ordinal);
                Assert.Throws<DatasetException>(() => roots.OpenRead(path).Dispose());
            }
        }
        finally
        {
            Directory.Delete(sibling);
        }
    }

    [Fact]
    public void A_root_that_is_a_link_itself_is_where_it_leads()
    {
        var file = _elsewhere.Write("weights.pth", [1]);
        Directory.CreateSymbolicLink(_allowed.At("root"), _elsewhere.Root);

        Assert.Equal(file, new DataRoots([_allowed.At("root")]).Resolve(_allowed.At("root", "weights.pth")));
    }

    [Fact]
    public async Task A_file_that_is_exchanged_for_a_link_while_it_is_opened_never_leads_elsewhere()
    {
        var inside = _allowed.Write("inside", [1]);
        var secret = _elsewhere.Write("secret", [2]);
        var name = _allowed.At("weights");
        var roots = new DataRoots([_allowed.Root]);
        using var end = new CancellationTokenSource();
        var exchanging = Task.Run(() =>
        {
            while (!end.IsCancellationRequested)
            {
                foreach (var target in new[] { secret, inside })
                {
                    File.CreateSymbolicLink(name + ".new", target);
                    File.Move(name + ".new", name, overwrite: true);
                }
            }
        });
        var (opened, refused) = (0, 0);
        for (var attempt = 0; attempt < 5000 || (attempt < 200_000 && (opened == 0 || refused == 0)); attempt++)
        {
            try
            {
                using var handle = Confinement.OpenRead(_allowed.Root, name, FileOptions.None);
                var content = new byte[1];
                Assert.Equal(1, RandomAccess.Read(handle, content, 0));
                Assert.Equal(1, content[0]);
                opened++;
            }
            catch (Exception exception) when (exception is DatasetException or FileNotFoundException)
            {
                refused++;
            }
        }

        await end.CancelAsync();
        await exchanging;
        Assert.True(opened > 0 && refused > 0, $"{opened} opened, {refused} refused");
        Assert.Throws<DatasetException>(() => roots.Resolve(secret));
    }

    [Fact]
    public async Task Binary_files_that_are_links_out_of_the_data_set_are_refused()
    {
        Stl10(_elsewhere, "");
        Directory.CreateSymbolicLink(_allowed.At("stl10_binary"), _elsewhere.Root);
        await AssertRefusedAsync("stl10_binary");

        Directory.Delete(_allowed.At("stl10_binary"));
        Stl10(_allowed, "stl10_binary/");
        var secret = _elsewhere.Write("passwords", "root\nadministrator\n"u8.ToArray());
        File.Delete(_allowed.At("stl10_binary", "class_names.txt"));
        File.CreateSymbolicLink(_allowed.At("stl10_binary", "class_names.txt"), secret);
        await AssertRefusedAsync("class_names.txt");
    }

    [Fact]
    public async Task A_listed_image_that_became_a_link_out_of_the_data_set_is_not_read()
    {
        _allowed.WriteImage("a/1.png", 1);
        _allowed.WriteImage("b/1.png", 2);
        var fileIndex = await DatasetSource.ListAsync(_allowed.Root);
        using var source = new ImageSource(fileIndex);
        Assert.NotNull((await source.ReadAsync(0, CancellationToken.None)).Content);

        File.Delete(_allowed.At("a", "1.png"));
        File.CreateSymbolicLink(_allowed.At("a", "1.png"), _elsewhere.WriteImage("secret.png", 3));
        var refused = await Assert.ThrowsAsync<DatasetException>(() => source.ReadAsync(0, CancellationToken.None));
        Assert.Contains("leads out", refused.Message, StringComparison.Ordinal);

        // A folder above it does the same.
        Directory.Delete(_allowed.At("b"), recursive: true);
        Directory.CreateSymbolicLink(_allowed.At("b"), _elsewhere.Root);
        _elsewhere.WriteImage("1.png", 4);
        await Assert.ThrowsAsync<DatasetException>(() => source.ReadAsync(1, CancellationToken.None));
    }

    private static void Stl10(TemporaryDirectory directory, string folder)
    {
        foreach (var split in new[] { "train", "test" })
        {
            directory.Write($"{folder}{split}_X.bin", new byte[2 * Stl10Files.ImageBytes]);
            directory.Write($"{folder}{split}_y.bin", [1, 2]);
        }

        directory.Write($"{folder}class_names.txt", "x\ny\n"u8.ToArray());
    }

    private async Task AssertRefusedAsync(string name)
    {
        var refused = await Assert.ThrowsAsync<DatasetException>(() => DatasetSource.ListAsync(_allowed.Root));
        Assert.Contains("leads out", refused.Message, StringComparison.Ordinal);
        Assert.Contains(name, refused.Message, StringComparison.Ordinal);
    }
}
