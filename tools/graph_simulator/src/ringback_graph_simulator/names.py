"""Names, devices and places that records are made of: invented, and awkward on purpose."""

__all__ = [
    "BUILDINGS",
    "CAPTURE_DEVICES",
    "CPUS",
    "FAMILY_NAMES",
    "GIVEN_NAMES",
    "PLATFORMS",
    "QUEUES",
    "RENDER_DEVICES",
]

GIVEN_NAMES = (
    "Abbie", "Zoë", "Łukasz", "José", "Søren", "Владимир", "محمد", "美咲", "Anaïs", "Nguyễn", "Björn", "Siân",
    "Γιώργος", "İpek", "O'Neil", "Jean-Luc", "Ana María", "Þóra", "नेहा", "𠮷",
)  # fmt: skip
FAMILY_NAMES = (
    "Wilkins", "Müller", "Żółć", "García Márquez", "Ångström", "Иванов", "الأمين", "田中", "D'Angelo", "Trần",
    "Smith, Jr.", "van der Berg", "Παπαδόπουλος", "Yılmaz",  # noqa: RUF001 (a Turkish name is spelled so)
    "Ní Bhriain", "Nuñez", "Sigurðardóttir", "शर्मा", "野家",
    "Łoś",
)  # fmt: skip

PLATFORMS = (
    ("windows", "CallSignalingAgent (27/1.4.00.26376//;release_2023/R04)", 46),
    ("macOS", "CallSignalingAgent (28/1.4.00.26376//;release_2023/R04)", 16),
    ("iOS", "CallSignalingAgent (30/6.9.1//;release_2024/R01)", 11),
    ("android", "CallSignalingAgent (31/1416//;release_2024/R01)", 9),
    ("web", "SkypeSpaces/1415/24031414723/TsCallingVersion=2024.12.01", 8),
    ("roomSystem", "MicrosoftTeamsRooms/5.1.28.0", 4),
    ("ipPhone", "TeamsPhone/1449 (Poly CCX 500)", 3),
    ("unknown", "RTCC/7.0.0.0 UCWA/7.0.0.0", 2),
    ("visionOS", "CallSignalingAgent (60/1.0//;release_2026/R03)", 1),
)  # fmt: skip

CPUS = (
    ("Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz", 8, 2112),
    ("Apple M2 Pro", 10, 3480),
    ("AMD Ryzen 7 PRO 5850U", 16, 1900),
)
CAPTURE_DEVICES = (
    "Headset Microphone (Jabra Evolve2 65)", "Mikrofonarray (Realtek(R) Audio)", "Default input device",
    "MacBook Pro-Mikrofon",
)  # fmt: skip
RENDER_DEVICES = ("Headset Earphone (Jabra Evolve2 65)", "Lautsprecher (Realtek(R) Audio)", "Default output device")
BUILDINGS = ("10.150.0", "10.150.16", "10.151.4", "172.20.8", "192.168.178", "2001:db8:1:2")
QUEUES = ("Main line", "Service desk", "Vertrieb Süd", "受付")
