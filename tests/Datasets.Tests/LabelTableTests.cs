using System.Text;
using CsCheck;
using Distributed.Datasets.Imaging;
using Distributed.Datasets.Sources;
using Distributed.Datasets.Tables;
using Distributed.Imaging;

namespace Distributed.Datasets.Tests;

/// <summary>Folders whose labels stand in a table.</summary>
public sealed class LabelTableTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Labels_and_splits_are_those_of_the_rows_whatever_folders_the_images_lie_in()
    {
        Images("a/1.jpg", "a/2.jpg", "b/1.jpg", "b/2.jpg", "3.jpg");
        Table(
            "labels.csv",
            "path,label,split",
            "b/2.jpg,dog,test",
            "3.jpg,cat,train",
            "a/2.jpg,dog,Training",
            "b/1.jpg,cat,val",
            "a/1.jpg,dog,train"
        );

        var fileIndex = await ListAsync();

        Assert.Equal(SourceFormat.ImageFolder, fileIndex.Format);
        Assert.Equal(["cat", "dog"], fileIndex.ClassNames);
        Assert.Equal(
            [
                new ListedImage("3.jpg", 0, SplitName.Train),
                new ListedImage("a/1.jpg", 1, SplitName.Train),
                new ListedImage("a/2.jpg", 1, SplitName.Train),
                new ListedImage("b/1.jpg", 0, SplitName.Validation),
                new ListedImage("b/2.jpg", 1, SplitName.Test),
            ],
            fileIndex.Entries
        );
        Assert.Empty(fileIndex.Skipped);
        Assert.Equal(
            [
                "Labels are read from 'labels.csv', columns 'path', 'label', 'split', 5 rows.",
                "'val' has no images of the class 'dog'.",
                "'test' has no images of the class 'cat'.",
            ],
            fileIndex.Notes
        );
        var packed = await ImagePacker.PackAsync(fileIndex, 0, 5, new ImagePreparation(32, FitMode.Crop, JpegDecoding.Full), Stream.Null);
        Assert.All(packed, image => Assert.Null(image.Skipped));
    }

    [Fact]
    public async Task The_table_wins_over_class_folders_and_gives_the_entries_that_they_would()
    {
        Images("cat/1.jpg", "cat/2.jpg", "dog/1.jpg");
        var byFolders = await ListAsync();
        Table("labels.csv", "file,class", "dog/1.jpg,dog", "cat/2.jpg,cat", "cat/1.jpg,cat");

        var byTable = await ListAsync();

        Assert.Equal(byFolders.ClassNames, byTable.ClassNames);
        Assert.Equal(byFolders.Entries, byTable.Entries);

        Table("labels.csv", "file,class", "dog/1.jpg,cat", "cat/2.jpg,dog", "cat/1.jpg,cat");
        var changed = await ListAsync();
        Assert.Equal([0, 0, 1], changed.Entries.Select(entry => entry.Label));
        Assert.NotEqual(byTable.Fingerprint, changed.Fingerprint);
    }

    [Fact]
    public async Task Images_without_a_row_are_counted_as_skipped_and_other_files_are_noted()
    {
        Images("1.jpg", "2.jpg", "more/3.PNG");
        _directory.Write("README.md", "about"u8.ToArray());
        Table("labels.csv", "path,label", "1.jpg,a", "2.jpg,b");

        var fileIndex = await ListAsync();

        Assert.Equal([new SkippedFile("more/3.PNG", SkipReason.NoLabel, "no row of 'labels.csv' names it")], fileIndex.Skipped);
        Assert.Equal(
            "1 file without a row in 'labels.csv' and without the name of an image is not read: 'README.md'.",
            fileIndex.Notes[^1]
        );
        Assert.Equal(
            "1 image without a label (add rows for them to the table, or move them elsewhere)",
            SkipReasons.Describe(SkipReasons.Group(fileIndex.Skipped))
        );
    }

    [Theory]
    [InlineData("metadata.csv", "file_name,label\n1.jpg,cat\n2.jpg,dog\n")]
    [InlineData("Labels.CSV", "\uFEFFImage Path;Category\r\n1.jpg;cat\r\n2.jpg;dog\r\n\r\n;\r\n")]
    [InlineData("labels.csv", "\n\nFILENAME\tlabel\tnote\n\"1.jpg\"\t cat \ta,b,c\n./2.jpg\tdog\t\"a\nb\"")]
    [InlineData("labels.csv", "\"label\",\"split\",\"image\"\n\"cat\",,1.jpg\n\"dog\",,.\\2.jpg")]
    [InlineData(
        "metadata.jsonl",
        "{\"file_name\":\"1.jpg\",\"label\":\"cat\",\"boxes\":[1]}\n\n{\"label\":\"dog\",\"file_name\":\"2.jpg\",\"more\":{}}"
    )]
    public async Task Separators_quotes_line_ends_and_names_of_columns_are_understood(string name, string table)
    {
        Images("1.jpg", "2.jpg");
        _directory.Write(name, Encoding.UTF8.GetBytes(table));

        var fileIndex = await ListAsync();

        Assert.Equal(["cat", "dog"], fileIndex.ClassNames);
        Assert.Equal(
            [new ListedImage("1.jpg", 0, SplitName.Unassigned), new ListedImage("2.jpg", 1, SplitName.Unassigned)],
            fileIndex.Entries
        );
    }

    [Fact]
    public async Task Numbers_as_labels_are_classes_of_that_name()
    {
        Images("1.jpg", "2.jpg");
        Table("metadata.jsonl", "{\"file_name\":\"1.jpg\",\"label\":10}", "{\"file_name\":\"2.jpg\",\"label\":9}");

        Assert.Equal(["10", "9"], (await ListAsync()).ClassNames);
    }

    [Fact]
    public async Task Tables_in_split_folders_are_each_read_for_their_split()
    {
        Images("train/1.jpg", "train/2.jpg", "train/3.jpg", "test/1.jpg", "Validation/x/1.jpg", "extra/9.jpg");
        Table("train/metadata.csv", "file_name,label", "1.jpg,a", "2.jpg,b");
        Table("test/metadata.csv", "file_name,label,split", "1.jpg,b,test");
        Table("Validation/metadata.jsonl", "{\"file_name\":\"x/1.jpg\",\"label\":\"a\"}");

        var fileIndex = await ListAsync();

        Assert.Equal(
            [
                new ListedImage("train/1.jpg", 0, SplitName.Train),
                new ListedImage("train/2.jpg", 1, SplitName.Train),
                new ListedImage("Validation/x/1.jpg", 0, SplitName.Validation),
                new ListedImage("test/1.jpg", 1, SplitName.Test),
            ],
            fileIndex.Entries
        );
        Assert.Equal(["train/3.jpg"], fileIndex.Skipped.Select(file => file.Name));
        Assert.Equal("1 folder beside those with tables is not read: 'extra'.", fileIndex.Notes[0]);
    }

    [Fact]
    public async Task Without_a_column_of_splits_those_are_the_folders_that_all_paths_begin_with()
    {
        Images("train/1.jpg", "train/2.jpg", "test/1.jpg", "other/1.jpg");
        Table("metadata.csv", "file_name,label", "train/1.jpg,a", "train/2.jpg,b", "test/1.jpg,b");

        Assert.Equal([SplitName.Train, SplitName.Train, SplitName.Test], (await ListAsync()).Entries.Select(entry => entry.Split));

        Table("metadata.csv", "file_name,label", "train/1.jpg,a", "train/2.jpg,b", "other/1.jpg,b");
        Assert.Contains(
            "has 1 row whose image does not lie in a split's folder, as those of other rows do: 'other/1.jpg' (line 4). Add a column 'split'",
            (await RefuseAsync()).Message,
            StringComparison.Ordinal
        );
    }

    [Theory]
    [InlineData(
        "train",
        "val",
        "Train,Test",
        "There is no test split in the table, so 'val' is the test split; validation images are drawn from 'train'."
    )]
    [InlineData(
        "val",
        "test",
        "Train,Test",
        "There is no train split in the table, so 'val' is what is trained on; validation images are drawn from it."
    )]
    [InlineData(
        "train",
        "train",
        "Unassigned,Unassigned",
        "There is only 'train', so training, validation and test images are drawn from it."
    )]
    public async Task Splits_that_are_missing_are_drawn_as_from_folders(string first, string second, string splits, string note)
    {
        Images("1.jpg", "2.jpg", "3.jpg", "4.jpg");
        Table("labels.csv", "path,label,set", $"1.jpg,a,{first}", $"2.jpg,b,{first}", $"3.jpg,a,{second}", $"4.jpg,b,{second}");

        var fileIndex = await ListAsync();

        Assert.Equal(splits, string.Join(',', fileIndex.Entries.Select(entry => entry.Split).Where((_, index) => index is 0 or 3)));
        Assert.Contains(note, fileIndex.Notes);
    }

    [Fact]
    public async Task A_table_in_the_only_folder_inside_is_found()
    {
        Images("archive/photos/images/1.jpg", "archive/photos/images/2.jpg");
        Table("archive/photos/labels.csv", "path,label", "images/1.jpg,a", "images/2.jpg,b");

        var fileIndex = await ListAsync();

        Assert.Equal("images/1.jpg", fileIndex.Entries[0].Name);
        Assert.Equal("The data set is the folder 'archive/photos' inside.", fileIndex.Notes[0]);
    }

    [Fact]
    public async Task Two_unicode_forms_of_a_name_are_one_file_and_one_class()
    {
        const string Decomposed = "cafe\u0301";
        const string Composed = "caf\u00e9";
        Images($"{Decomposed}.jpg", "2.jpg", "3.jpg");
        Table("labels.csv", "path,label", $"{Composed}.jpg,{Composed}", $"2.jpg,{Decomposed}", "3.jpg,tea");

        var fileIndex = await ListAsync();

        Assert.Equal([Composed, "tea"], fileIndex.ClassNames);
        Assert.Equal(["2.jpg", $"{Decomposed}.jpg", "3.jpg"], fileIndex.Entries.Select(entry => entry.Name));
    }

    [Fact]
    public async Task A_table_of_another_name_is_asked_for_by_its_name()
    {
        Images("1.jpg", "2.jpg");
        Table("boxes.csv", "path,label", "1.jpg,a", "2.jpg,b");

        Assert.EndsWith(
            "or a table of the images' labels, labels.csv. 'boxes.csv' is not read: rename the table of the labels to labels.csv.",
            (await RefuseAsync()).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Where_classes_are_not_asked_for_the_table_is_neither_read_nor_an_image()
    {
        Images("1.jpg", "2.jpg");
        Table("labels.csv", "nothing");

        Assert.Equal(["1.jpg", "2.jpg"], (await DatasetSource.ListImagesAsync(_directory.Root)).Entries.Select(entry => entry.Name));
    }

    [Fact]
    public async Task A_row_may_stand_there_twice()
    {
        Images("1.jpg", "2.jpg");
        Table("labels.csv", "path,label", "1.jpg,a", "2.jpg,b", "./1.jpg,a");

        Assert.Equal(2, (await ListAsync()).Entries.Count);
    }

    [Theory]
    [InlineData("a.jpg,cat", "has 1 row whose file is not there: 'a.jpg' (line 4). Put the files into")]
    [InlineData(
        "a.jpg,c\nb.jpg,c\nc.jpg,c\nd.jpg,c\ne.jpg,c\nf.jpg,c",
        "has 6 rows whose file is not there: 'a.jpg' (line 4), 'b.jpg' (line 5), 'c.jpg' (line 6), 'd.jpg' (line 7), 'e.jpg' (line 8) and 1 more."
    )]
    [InlineData("1.jpg,", "has 1 row without a label: '1.jpg' (line 4)")]
    [InlineData(",a", "has 1 row without a path: '' (line 4)")]
    [InlineData("1.jpg,b", "names '1.jpg' with two labels: 'a' in line 2 and 'b' in line 4. Remove one of the rows.")]
    [InlineData("../1.jpg,a", "has 1 row whose path is not one below the table's folder: '../1.jpg' (line 4)")]
    [InlineData("x/../../1.jpg,a", "whose path is not one below the table's folder")]
    [InlineData("/etc/passwd,a", "whose path is not one below the table's folder")]
    [InlineData("\\\\server\\1.jpg,a", "whose path is not one below the table's folder")]
    [InlineData("1.jpg,a,b", "line 4: the row has 3 fields, and the first line names 2.")]
    [InlineData("1.jpg", "line 4: the row has 1 field, and the first line names 2.")]
    [InlineData("1.jpg,a\"b", "line 4: a field has a quote inside, or one that is not closed.")]
    [InlineData("1.jpg,a\u0007", "names the class 'a?'")]
    public async Task A_row_that_cannot_be_used_is_named_with_its_line(string row, string message)
    {
        Images("1.jpg", "2.jpg");
        Table("labels.csv", "path,label", "1.jpg,a", "2.jpg,b", row);

        Assert.Contains(message, (await RefuseAsync()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("train", "1.jpg,a,test", "names '1.jpg' with two splits: 'train' in line 2 and 'test' in line 4")]
    [InlineData(
        "train",
        "3.jpg,a,",
        "has 1 row whose split is missing or not understood: '3.jpg' (line 4). Every row has one of train, training; val"
    )]
    [InlineData("train", "3.jpg,a,holdout", "whose split is missing or not understood: '3.jpg' (line 4)")]
    [InlineData("train", "3.jpg,c,test", "has the class 'c' in the split 'test' and not in 'train'. Add training images of the class")]
    [InlineData("test", "3.jpg,a,test", "has images of the split 'test' and none to train on.")]
    public async Task A_split_that_cannot_be_used_is_named(string split, string row, string message)
    {
        Images("1.jpg", "2.jpg", "3.jpg");
        Table("labels.csv", "path,label,split", $"1.jpg,a,{split}", $"2.jpg,b,{split}", row);

        Assert.Contains(message, (await RefuseAsync()).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(
        "labels.csv",
        "name,label\n1.jpg,a",
        "has no column of the images' paths: path, file, file_name, filename, file_path, image or image_path. It has the columns 'name', 'label'."
    )]
    [InlineData(
        "labels.csv",
        "path,breed\n1.jpg,a",
        "has no column of the labels: label, class or category. It has the columns 'path', 'breed'."
    )]
    [InlineData("labels.csv", "label\na", "It has the column 'label'.")]
    [InlineData(
        "labels.csv",
        "path,label,class\n1.jpg,a,b",
        "has the columns 'label', 'class', and any of them may be the labels (label, class or category). Rename those that are not."
    )]
    [InlineData("labels.csv", "path,label\n", "has no rows.")]
    [InlineData("labels.csv", "", "is empty.")]
    [InlineData("labels.csv", "\n \n", "has no rows.")]
    [InlineData("metadata.jsonl", "[1]", "line 1: this is no JSON object.")]
    [InlineData("metadata.jsonl", "{\"file_name\":\"1.jpg\",\"label\":\"a\"}\n{", "line 2: this is not JSON:")]
    [InlineData("metadata.jsonl", "{\"file_name\":\"1.jpg\",\"label\":\"\\ud800\"}", "line 1: this is not JSON:")]
    [InlineData("metadata.jsonl", "{\"file_name\":\"1.jpg\",\"label\":\"a\",\"label\":\"b\"}", "line 1: this is not JSON:")]
    [InlineData("metadata.jsonl", "{\"file_name\":\"1.jpg\",\"label\":[\"a\"]}", "has 1 row without a label: '1.jpg' (line 1)")]
    public async Task A_table_that_cannot_be_understood_says_what_it_has_and_what_is_looked_for(string name, string table, string message)
    {
        Images("1.jpg", "2.jpg");
        _directory.Write(name, Encoding.UTF8.GetBytes(table));

        var refused = await RefuseAsync();

        Assert.Contains(_directory.At(name), refused.Message, StringComparison.Ordinal);
        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_that_is_not_utf8_is_refused()
    {
        Images("1.jpg", "2.jpg");
        _directory.Write("labels.csv", Encoding.Latin1.GetBytes("path,label\n1.jpg,café\n2.jpg,tea\n"));
        Assert.Contains("the text is not UTF-8. Save it again in that encoding", (await RefuseAsync()).Message, StringComparison.Ordinal);

        _directory.Write("labels.csv", [.. Encoding.UTF8.Preamble, .. Encoding.Latin1.GetBytes("path,label\n1.jpg,café\n2.jpg,tea\n")]);
        Assert.Contains("the text is not UTF-8", (await RefuseAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rows_columns_and_files_are_bounded()
    {
        Images("1.jpg", "2.jpg");
        var endless = new string('x', LabelTableReader.MostRowCharacters + 10_000);
        Table("labels.csv", "path,label", "1.jpg,a", "2.jpg,\"b" + endless);
        Assert.Contains("after line 2: a row has more than", (await RefuseAsync()).Message, StringComparison.Ordinal);

        Table("labels.csv", "path,label" + new string(',', 1000), "1.jpg,a");
        Assert.Contains("line 1: the row has 1002 fields; the most is 1000.", (await RefuseAsync()).Message, StringComparison.Ordinal);

        File.Delete(_directory.At("labels.csv"));
        Table("metadata.jsonl", "{\"file_name\":\"" + endless);
        Assert.Contains("a row has more than", (await RefuseAsync()).Message, StringComparison.Ordinal);

        using (var large = new FileStream(_directory.At("metadata.jsonl"), FileMode.Create))
        {
            large.SetLength(LabelTableReader.MostBytes + 1);
        }

        Assert.Contains("the most of a table is", (await RefuseAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Several_tables_are_refused_and_so_is_one_that_a_split_folder_lacks()
    {
        Images("train/1.jpg", "train/2.jpg", "test/1.jpg");
        Table("train/metadata.csv", "file_name,label", "1.jpg,a", "2.jpg,b");
        Assert.Contains("and there is none in 'test' beside it.", (await RefuseAsync()).Message, StringComparison.Ordinal);

        Table("test/metadata.csv", "file_name,label,split", "1.jpg,a,train");
        Assert.Contains("has 1 row of another split than the folder 'test'", (await RefuseAsync()).Message, StringComparison.Ordinal);

        Table("training/labels.csv", "file_name,label", "1.jpg,a");
        Assert.Contains("'train', 'training', which mean the same split", (await RefuseAsync()).Message, StringComparison.Ordinal);

        Table("labels.csv", "path,label");
        Table("metadata.csv", "path,label");
        Assert.Contains(
            "has 'labels.csv', 'metadata.csv', and labels come from one table.",
            (await RefuseAsync()).Message,
            StringComparison.Ordinal
        );
    }

    [Fact]
    public async Task Neither_a_row_nor_the_table_leads_through_a_link_out_of_the_folder()
    {
        using var elsewhere = new TemporaryDirectory();
        elsewhere.WriteImage("secret.jpg", 9);
        var table = elsewhere.Write("table.csv", "path,label\n1.jpg,a\n2.jpg,b\n"u8.ToArray());
        Images("1.jpg", "2.jpg");
        Directory.CreateSymbolicLink(_directory.At("away"), elsewhere.Root);
        Table("labels.csv", "path,label", "1.jpg,a", "2.jpg,b", "away/secret.jpg,a");

        Assert.Contains("whose file is not there: 'away/secret.jpg' (line 4)", (await RefuseAsync()).Message, StringComparison.Ordinal);

        File.Delete(_directory.At("labels.csv"));
        File.CreateSymbolicLink(_directory.At("labels.csv"), table);
        Assert.Contains("has no class folders", (await RefuseAsync()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_changed_table_is_listed_or_refused_with_a_message_and_nothing_else()
    {
        Images("1.jpg", "d/2.jpg", "d/3.jpg");
        var pieces = OneOf(
            "path",
            "file_name",
            "label",
            "split",
            "1.jpg",
            "d/2.jpg",
            "./d\\3.jpg",
            "../1.jpg",
            "/",
            "cat",
            "dog",
            "train",
            "test",
            "é",
            "\uFEFF",
            "\0",
            ",",
            ",",
            ";",
            "\t",
            "\n",
            "\n",
            "\r\n",
            "\"",
            "\"\"",
            " ",
            "{",
            "}",
            "\"path\":",
            "\"label\":\"cat\"",
            "\\ud800",
            "1e9"
        );
        var cell = Gen.OneOf(pieces, Gen.String[0, 6]);
        var row = Gen.Select(OneOf("1.jpg", "d/2.jpg", "d/3.jpg"), OneOf(",", ";"), OneOf("cat", "dog"), Gen.OneOf(Gen.Const(""), cell))
            .Select((path, separator, label, more) => $"{path}{separator}{label}{more}\n");
        var tables = Gen.Select(
                OneOf("path,label\n", "file;class\n", "path,label,split\n", ""),
                Gen.OneOf(row, row, row, cell).Array[0, 12]
            )
            .Select((header, rows) => header + string.Concat(rows));
        var names = OneOf("labels.csv", "metadata.jsonl");

        Gen.Select(names, tables)
            .Sample(
                (name, table) =>
                {
                    var path = _directory.Write(name, Encoding.UTF8.GetBytes(table));
                    try
                    {
                        var fileIndex = DatasetSource.ListAsync(_directory.Root).GetAwaiter().GetResult();
                        Assert.Subset(
                            new HashSet<string>(["1.jpg", "d/2.jpg", "d/3.jpg"], StringComparer.Ordinal),
                            fileIndex.Entries.Select(entry => entry.Name).ToHashSet(StringComparer.Ordinal)
                        );
                    }
                    catch (DatasetException refused)
                    {
                        Assert.DoesNotContain(refused.Message, char.IsControl);
                    }
                    finally
                    {
                        File.Delete(path);
                    }
                },
                iter: 2000,
                threads: 1
            );
    }

    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(index => texts[index]);

    private void Images(params string[] names)
    {
        foreach (var (index, name) in names.Index())
        {
            _directory.WriteImage(name, index);
        }
    }

    private void Table(string name, params string[] lines) => _directory.Write(name, Encoding.UTF8.GetBytes(string.Join('\n', lines)));

    private Task<FileIndex> ListAsync() => DatasetSource.ListAsync(_directory.Root);

    private Task<DatasetException> RefuseAsync() => Assert.ThrowsAsync<DatasetException>(ListAsync);
}
