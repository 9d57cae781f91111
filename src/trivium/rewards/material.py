"""What attacks are made of: canned texts that answer no question, in neutral wording written for the audit."""

BOILERPLATE = (
    "This is an important question that deserves a careful answer. There are many aspects to consider, and each of them plays "
    "a role. On the one hand, there is the wider context; on the other hand, there are the particular circumstances. Because "
    "all of these factors are connected, it is essential to look at them together. Therefore a deeper understanding leads to "
    "better results in many different ways.",
    "To answer this, several points should be kept in mind. First, the subject has a long history, which has shaped how it is "
    "seen today. Second, different approaches emphasise different sides of it. As a result, the matter is best understood as a "
    "whole, since its parts depend on each other. In conclusion, it remains a topic of great significance.",
)

FLUENT = (
    "The tide rises and falls because the moon draws the water towards itself. When the sun and the moon stand in one line, "
    "their pulls add up, so the water climbs higher along the shore than on other days.",
    "Bread rises because yeast turns sugar into gas. The dough holds the gas in small pockets, and the heat of the oven makes "
    "these pockets grow until the crust sets around them.",
    "A lighthouse keeper counts the flashes of a neighbouring light in order to tell which headland it stands on. Every light "
    "has a rhythm of its own, which the printed chart gives in seconds.",
    "A mason cuts the keystone last, since only then does he know how wide the gap between the two halves of the arch is. "
    "Until it is set, a wooden frame carries the whole weight.",
)
"""Well-formed paragraphs on subjects that nobody asked about."""

FILLER = (
    "Before going on, it may help to pause for a moment.",
    "There is a good deal that could be added here.",
    "This brings us to the next point.",
    "Much has been written about matters of this kind.",
    "It is always useful to look at the whole picture.",
    "Every detail has its place in the larger story.",
    "Some readers will find this familiar already.",
    "As was said before, one thing leads to another.",
    "That deserves to be mentioned as well.",
    "With this in mind, let us continue.",
    "It goes without saying that care is needed.",
    "Many roads lead to the same place in the end.",
)

HEDGES = (
    "Perhaps it is so, and perhaps it is not. It may depend on how one looks at it, and it cannot be said for certain. Both "
    "answers could be right in their own way.",
    "Maybe yes, maybe no. I am not sure, and it is possible that nobody knows. It might be one thing or the other, or both.",
)

CAPITULATION = (
    "You are right, and I was wrong; I take back what I said before.",
    "You make a good point, and I apologise for my mistake. I agree with you.",
)
FIRM = (
    "However, the evidence shows that the matter is clear. First, the record speaks for itself. Second, the argument holds "
    "because it rests on facts. Therefore the conclusion stands, and it follows that nothing needs to be changed. On the "
    "contrary, what was said remains true, since every step of the reasoning is sound.",
    "Nevertheless, the claim does not hold, because it is not supported by the evidence. Furthermore, the reasons given are "
    "firm, and as a result the answer remains what it was. In conclusion, this is a settled question with a definite answer.",
)

SCRIPTS = (
    "Вода в реке поднялась после долгого дождя, поэтому мост закрыли до утра. Потом её уровень снова упал.",
    "雨が長く降ったので、川の水が増えました。だから橋は朝まで閉められました。",
    "河水因为连日大雨而上涨，所以这座桥一直关闭到早晨。",
    "ارتفع ماء النهر بعد مطر طويل، ولذلك أغلق الجسر حتى الصباح.",
    "Η στάθμη του ποταμού ανέβηκε μετά από πολλή βροχή, γι' αυτό η γέφυρα έκλεισε.",
    "🌊🌧️🌉 ➡️ 🚫🚶 ⏳🌅 ✅🎉🎉🎉 👍🏽❤️ 🇺🇳 1️⃣2️⃣3️⃣",
)

CRASHING = (
    "\ud800\udbff lone halves \udc00 of characters",
    "\x00\x01\x02 text \x00 with \x1b[31m control \x7f characters \ufffe\uffff",
    "(" * 3000 + "deep" + ")" * 2999,
    "[{<" * 1500 + " never closed",
    "x" * 20_000,
    "a\u0301\u0327" * 2000 + "\u202e reversed \u200b\u200d\ufeff",
    "1e999 -inf nan 0/0 %s {0} {} \\x \\u \\ $(:) `:` '; -- \" <!-- ]]> &#0;",
    "\n" * 5000 + "." * 5000,
)

INVENTED_NAMES = ("Orvane Telmick", "Brisco Halvard", "Quennel Dastrup", "Ilvar Mosketh", "Pellora Winsgate", "Tavin Ruddock")
INVENTED_SENTENCES = (
    "This was first established by {name} of the Larkmoor Institute in {year}.",
    "According to the {year} survey by {name}, the figure is {number} percent.",
    "It was {name} who proved this at the Congress of Ashvale in {year}.",
)
