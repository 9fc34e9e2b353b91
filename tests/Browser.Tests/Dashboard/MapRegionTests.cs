using Distributed.Client;
using Distributed.Dashboard.Maps;

namespace Distributed.Browser.Tests.Dashboard;

public sealed class MapRegionTests
{
    private static readonly RunMap Map = new(
        Images: 6,
        ClassNames: ["cat", "dog", "bird"],
        SplitNames: ["train", "test"],
        Rows: null,
        X: [0, 10, 20, 100, 110, 120],
        Y: [0, 0, 0, 50, 50, 50],
        Labels: [0, 0, 0, 1, 1, 2],
        Splits: [0, 0, 1, 0, 1, 1],
        Tested: [0, 0, 2, 0, 1, 2]
    );

    [Fact]
    public void A_region_holds_the_points_between_its_edges_in_whatever_order_they_are_given() =>
        Assert.Equal([1, 2, 3], MapRegion.Between(left: 100, top: null, right: 10, bottom: 50)!.PointsOf(Map));

    [Fact]
    public void Without_edges_there_is_no_region() => Assert.Null(MapRegion.Between(null, null, null, null));

    [Fact]
    public void A_class_is_described_by_its_middle_its_mistakes_and_its_neighbour()
    {
        var classes = MapClass.Of(Map);

        Assert.Equal(["cat", "dog", "bird"], classes.Select(one => one.Name));
        Assert.Equal((3, 1, "dog"), (classes[0].Images, classes[0].Mistakes, classes[0].Nearest));
        Assert.Equal(new MapRegion(0, 0, 10, 0), classes[0].Middle);
        Assert.Equal("bird", classes[1].Nearest);
    }

    [Fact]
    public void Colours_have_the_categories_that_occur_with_their_numbers()
    {
        var mistakes = MapColouring.All.Single(one => one.Name == "mistake");

        Assert.Equal(
            [("not tested", 3), ("right", 1), ("a mistake", 2)],
            mistakes.CategoriesOf(Map).Select(category => (category.Name, category.Images))
        );
        Assert.Equal(MapColouring.Class.ColourOf(0), MapColouring.Class.ColourOf(10));
    }
}
