using Microsoft.Extensions.Time.Testing;

namespace Distributed.Catalog.Tests;

public sealed class ReminderTests
{
    [Fact]
    public void What_lasts_is_logged_when_it_begins_and_then_every_ten_minutes()
    {
        var time = new FakeTimeProvider();
        var reminder = new Reminder(time);
        var logged = new List<int>();
        for (var second = 0; second < 1500; second++)
        {
            if (reminder.IsDue("away"))
            {
                logged.Add(second);
            }

            time.Advance(TimeSpan.FromSeconds(1));
        }

        Assert.Equal([0, 600, 1200], logged);
    }

    [Fact]
    public void Other_words_and_what_begins_again_are_logged_at_once()
    {
        var reminder = new Reminder(new FakeTimeProvider());

        Assert.Equal([true, false, true, false, true], new[] { "away", "away", "full", null, "full" }.Select(reminder.IsDue));
    }
}
