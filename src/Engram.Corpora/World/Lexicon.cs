namespace Engram.Corpora.World;

/// <summary>
/// The words of a world that are no names. No word stands in two lists, so that a word tells what it is; names are kept apart from all of
/// them.
/// </summary>
internal static class Lexicon
{
    /// <summary>What a document may be about; the context that tells items of one name apart.</summary>
    public static readonly string[] Regions = ["north", "south", "east", "west"];

    /// <summary>
    /// Who says things, at the beginning of a sentence. The same number as <see cref="Sayings"/>: pairs of them are kept for questions.
    /// </summary>
    public static readonly string[] Speakers = ["Sailors", "Farmers", "Weavers", "Soldiers", "Shepherds", "Children", "Singers", "Traders"];

    public static readonly string[] Sayings = ["say", "know", "believe", "hear", "claim", "swear", "agree", "repeat"];

    /// <summary>
    /// What stands between a name and the rest of a sentence: "praised by sailors". The same number as <see cref="Groups"/>.
    /// </summary>
    public static readonly string[] Deeds = ["praised", "mocked", "loved", "trusted", "envied", "sought", "blamed", "honoured"];

    public static readonly string[] Groups = ["sailors", "farmers", "weavers", "soldiers", "shepherds", "children", "singers", "traders"];

    /// <summary>Ends of sentences. The first is none.</summary>
    public static readonly string[] Tails =
    [
        "",
        " to this day",
        " in winter",
        " in summer",
        " as ever",
        " at dawn",
        " by night",
        " without fail",
    ];

    public static readonly string[] Instruments =
    [
        "flute",
        "drum",
        "harp",
        "horn",
        "lute",
        "fiddle",
        "bell",
        "gong",
        "pipe",
        "lyre",
        "viol",
        "cornet",
        "zither",
        "rattle",
        "organ",
        "trumpet",
        "whistle",
        "cymbal",
        "banjo",
        "oboe",
    ];

    public static readonly string[] Animals =
    [
        "owls",
        "wolves",
        "bears",
        "snakes",
        "ravens",
        "foxes",
        "hares",
        "eagles",
        "otters",
        "bats",
        "spiders",
        "toads",
        "swans",
        "goats",
        "crows",
        "deer",
        "moths",
        "geese",
        "rats",
        "bees",
    ];

    public static readonly string[] Drinks =
    [
        "ale",
        "cider",
        "mead",
        "milk",
        "tea",
        "wine",
        "broth",
        "cocoa",
        "coffee",
        "whey",
        "perry",
        "brandy",
        "punch",
        "nectar",
        "lemonade",
        "gin",
        "rum",
        "water",
        "sherry",
        "kefir",
    ];

    public static readonly string[] Products =
    [
        "ropes",
        "boots",
        "bowls",
        "nets",
        "lamps",
        "baskets",
        "knives",
        "carpets",
        "clocks",
        "barrels",
        "candles",
        "hats",
        "chairs",
        "masks",
        "kites",
        "wheels",
        "locks",
        "pots",
        "sails",
        "rings",
    ];

    public static readonly string[] Crops =
    [
        "barley",
        "wheat",
        "rye",
        "oats",
        "beans",
        "hops",
        "flax",
        "hemp",
        "apples",
        "pears",
        "plums",
        "grapes",
        "onions",
        "leeks",
        "turnips",
        "cabbage",
        "lentils",
        "millet",
        "figs",
        "olives",
    ];

    public static readonly string[] Stones =
    [
        "amber",
        "granite",
        "marble",
        "slate",
        "jade",
        "opal",
        "flint",
        "chalk",
        "quartz",
        "basalt",
        "pearl",
        "garnet",
        "topaz",
        "onyx",
        "agate",
        "coral",
        "beryl",
        "gypsum",
        "ruby",
        "jasper",
    ];

    /// <summary>Words of the sentences' frames.</summary>
    private static readonly string[] Frames =
    [
        "A",
        "tale",
        "of",
        "the",
        "note",
        "that",
        "by",
        "and",
        "This",
        "says",
        "count",
        "The",
        "town",
        "book",
        "child",
        "house",
        "valley",
        "cycle",
        "to",
        "this",
        "day",
        "in",
        "winter",
        "summer",
        "as",
        "ever",
        "at",
        "dawn",
        "night",
        "without",
        "fail",
    ];

    /// <summary>Every word that is no name.</summary>
    public static IEnumerable<string> Words =>
        [
            .. Frames,
            .. Regions,
            .. Speakers,
            .. Sayings,
            .. Deeds,
            .. Groups,
            .. Instruments,
            .. Animals,
            .. Drinks,
            .. Products,
            .. Crops,
            .. Stones,
            .. Relation.All.Select(relation => relation.Link),
        ];
}
