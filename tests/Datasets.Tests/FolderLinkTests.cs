using System.Diagnostics;
using System.Text;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Imaging;

namespace Distributed.Datasets.Tests;

/// <summary>Links in image folders, and files that are not what they seem.</summary>
public sealed class FolderLinkTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly TemporaryDirectory _allowed = new();
    private readonly TemporaryDirectory _elsewhere = new();

    public void Dispose()
    {
        _directory.Dispose();
        _allowed.Dispose();
        _elsewhere.Dispose();
    }

    [Fact]
    public async Task Linked_splits_classes_folders_and_files_inside_the_data_roots_are_followed()
    {
        Images(_allowed, "all/a/1", "all/b/1", "more/2", "one");
        Images(_directory, "train/a/1", "train/b/1");
        LinkFolder("test", _allowed.At("all"));
        LinkFolder("train/c", _allowed.At("more"));
        LinkFolder("train/a/more", Path.Combine("..", "..", "..", Path.GetFileName(_allowed.Root), "more"));
        LinkFile("train/b/one", _allowed.At("one"));

        var fileIndex = await ListAsync();

        Assert.Equal(["a", "b", "c"], fileIndex.ClassNames);
        Assert.Equal(
            ["train/a/1", "train/a/more/2", "train/b/1", "train/b/one", "train/c/2", "test/a/1", "test/b/1"],
            fileIndex.Entries.Select(entry => entry.Name)
        );
        Assert.Empty(fileIndex.Skipped);

        var packed = await ImagePacker.PackAsync(
            fileIndex,
            0,
            fileIndex.Entries.Count,
            new ImagePreparation(32, FitMode.Crop, JpegDecoding.Full),
            Stream.Null,
            LocalImageDecoding.Default,
            new DataRoots([_allowed.Root])
        );
        Assert.All(packed, image => Assert.Null(image.Skipped));
    }

    [Fact]
    public async Task Links_out_of_the_data_roots_are_skipped_with_the_reason()
    {
        var secret = _elsewhere.WriteImage("secret.png", 9);
        Images(_directory, "a/1", "b/1");
        LinkFile("a/inside", _directory.At("b", "1"));
        LinkFile("a/outside", secret);
        LinkFolder("b/away", _elsewhere.Root);
        LinkFile("b/hidden-way", _directory.At("b", "away", "secret.png"));
        LinkFolder("c", _elsewhere.Root);

        var fileIndex = await ListAsync();

        Assert.Equal(["a/1", "a/inside", "b/1"], fileIndex.Entries.Select(entry => entry.Name));
        Assert.Equal(["a/outside", "b/away", "b/hidden-way", "c"], fileIndex.Skipped.Select(file => file.Name));
        Assert.All(fileIndex.Skipped, file => Assert.Equal(SkipReason.LinkOutside, file.Reason));
        Assert.Equal($"the link leads to '{secret}', outside the directories that may be read", fileIndex.Skipped[0].Detail);
    }

    [Fact]
    public async Task Dangling_links_and_loops_are_skipped_and_nothing_is_read_twice_through_them()
    {
        Images(_directory, "a/1", "a/deep/2", "b/1");
        LinkFile("a/dangling", _directory.At("nothing"));
        LinkFile("a/itself", _directory.At("a", "itself"));
        LinkFolder("a/root", _directory.Root);
        LinkFolder("a/deep/up", "..");
        LinkFolder("a/again", _directory.At("a", "deep"));
        LinkFolder("b/above", Path.GetDirectoryName(_directory.Root)!);

        var fileIndex = await DatasetSource.ListAsync(_directory.Root, new DataRoots([Path.GetTempPath()]));

        Assert.Equal(["a/1", "a/deep/2", "b/1"], fileIndex.Entries.Select(entry => entry.Name));
        Assert.Equal(
            [
                ("a/again", SkipReason.LinkLoop),
                ("a/dangling", SkipReason.LinkDangling),
                ("a/deep/up", SkipReason.LinkLoop),
                ("a/itself", SkipReason.LinkLoop),
                ("a/root", SkipReason.LinkLoop),
                ("b/above", SkipReason.LinkLoop),
            ],
            fileIndex.Skipped.Select(file => (file.Name, file.Reason))
        );
    }

    [Fact]
    public async Task Folders_that_link_to_each_other_end()
    {
        Images(_allowed, "x/1", "y/2");
        Directory.CreateSymbolicLink(_allowed.At("x", "y"), _allowed.At("y"));
        Directory.CreateSymbolicLink(_allowed.At("y", "x"), _allowed.At("x"));
        Images(_directory, "b/1");
        LinkFolder("a", _allowed.At("x"));

        var fileIndex = await ListAsync();

        Assert.Equal(["a/1", "a/y/2", "b/1"], fileIndex.Entries.Select(entry => entry.Name));
        Assert.Equal(("a/y/x", SkipReason.LinkLoop), Assert.Single(fileIndex.Skipped.Select(file => (file.Name, file.Reason))));
    }

    [Fact]
    public async Task A_tower_of_links_takes_no_longer_than_its_folders()
    {
        const int Storeys = 30;
        Images(_directory, "a/0/1", "b/1");
        for (var storey = 0; storey < Storeys; storey++)
        {
            Directory.CreateDirectory(_allowed.At($"{storey}"));
            if (storey > 0)
            {
                foreach (var side in new[] { "left", "right" })
                {
                    Directory.CreateSymbolicLink(_allowed.At($"{storey}", side), _allowed.At($"{storey - 1}"));
                }
            }
        }

        LinkFolder("a/tower", _allowed.At($"{Storeys - 1}"));

        Assert.Equal(2, (await ListAsync()).Entries.Count);
    }

    [Fact]
    public async Task A_link_that_leads_elsewhere_makes_another_fingerprint()
    {
        Images(_allowed, "one", "two", "three");
        Images(_directory, "a/1", "b/1");
        LinkFile("a/link", _allowed.At("one"));
        var first = await ListAsync();

        File.Delete(_directory.At("a", "link"));
        LinkFile("a/link", _allowed.At("two"));
        File.SetLastWriteTimeUtc(_allowed.At("two"), DateTime.UtcNow.AddMinutes(1));
        var second = await ListAsync();

        File.SetLastWriteTimeUtc(_allowed.At("two"), DateTime.UtcNow.AddMinutes(2));
        Assert.Equal(3, new[] { first, second, await ListAsync() }.Select(fileIndex => fileIndex.Fingerprint).Distinct().Count());
    }

    [Fact]
    public async Task A_name_that_is_not_UTF_8_is_skipped_with_its_bytes()
    {
        Assert.SkipUnless(RawNames.AreBytes, "names are text on this system");
        Images(_directory, "a/1", "a/caf\ufffd.png", "b/1");
        Shell(
            $"touch '{_directory.Root}/a/'$'caf\\xe9.png' '{_directory.Root}/a/'$'caf\\xea.png' '{_directory.Root}/a/'$'.\\xe9'; mkdir '{_directory.Root}/'$'th\\xe9'; touch '{_directory.Root}/'$'th\\xe9/1'"
        );
        try
        {
            var fileIndex = await ListAsync();

            Assert.Equal(["a/1", "a/caf\ufffd.png", "b/1"], fileIndex.Entries.Select(entry => entry.Name));
            Assert.Equal([@"a/caf\xe9.png", @"a/caf\xea.png", @"th\xe9"], fileIndex.Skipped.Select(file => file.Name));
            Assert.All(fileIndex.Skipped, file => Assert.Equal(SkipReason.NameNotUtf8, file.Reason));
        }
        finally
        {
            // .NET cannot remove what it cannot name.
            Shell($"rm -r '{_directory.Root}/a' '{_directory.Root}/'$'th\\xe9'");
        }
    }

    [Fact]
    public async Task Pipes_are_not_waited_for()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there are no pipes in folders");
        Images(_directory, "a/1", "b/1");
        Shell($"mkfifo '{_directory.At("a", "pipe")}'");
        LinkFile("a/to-pipe", _directory.At("a", "pipe"));
        var fileIndex = await ListAsync();

        var packed = await ImagePacker.PackAsync(
            fileIndex,
            0,
            fileIndex.Entries.Count,
            new ImagePreparation(32, FitMode.Crop, JpegDecoding.Full),
            Stream.Null
        );

        Assert.Equal(
            ["a/pipe", "a/to-pipe"],
            packed
                .Where(image => image.Skipped == "the file is empty, or a pipe, socket or device")
                .Select(image => fileIndex.Entries[image.Entry].Name)
        );
        Assert.Contains(
            "pipe",
            Assert.Throws<DatasetException>(() => new DataRoots([_directory.Root]).Resolve(_directory.At("a", "pipe"))).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task A_path_that_is_too_long_to_open_is_refused_for_good()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "elsewhere the longest path has another length");
        Images(_directory, "a/1", "b/1");
        // 20 names of 250 bytes: each can be made from the folder above it, and no path reaches the last.
        Shell(
            $"cd '{_directory.At("a")}' && for i in $(seq 20); do mkdir {new string('x', 250)} && cd {new string('x', 250)} || exit 1; done"
        );
        try
        {
            Assert.Contains(
                "longer than the paths that the system opens",
                (await Assert.ThrowsAsync<DatasetException>(ListAsync)).Message,
                StringComparison.Ordinal
            );
        }
        finally
        {
            Shell($"rm -r '{_directory.At("a")}'");
        }
    }

    private static void Shell(string command)
    {
        using var shell = Process.Start("bash", ["-c", command]);
        shell.WaitForExit();
        Assert.Equal(0, shell.ExitCode);
    }

    private static void Images(TemporaryDirectory directory, params string[] names)
    {
        foreach (var name in names)
        {
            directory.WriteImage(name, Encoding.UTF8.GetBytes(directory.Root + name).Aggregate(17, (sum, value) => (sum * 31) + value));
        }
    }

    private void LinkFile(string name, string target) => File.CreateSymbolicLink(_directory.At(name.Split('/')), target);

    private void LinkFolder(string name, string target) => Directory.CreateSymbolicLink(_directory.At(name.Split('/')), target);

    private Task<FileIndex> ListAsync() => DatasetSource.ListAsync(_directory.Root, new DataRoots([_allowed.Root]));
}
