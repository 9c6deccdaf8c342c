"""What the report has a page for: seven systems, each with its paper, and what compares them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Paper:
    """A paper whose claims are tested."""

    title: str
    authors: str
    venue: str
    arxiv: str

    @property
    def url(self) -> str:
        """Address of the paper's abstract."""
        return f"https://arxiv.org/abs/{self.arxiv}"


@dataclass(frozen=True)
class System:
    """One of the seven systems, or a comparison across them, which has no paper.

    Attributes
    ----------
    name
        Word that names the system everywhere: package, notebooks, results.
    heading
        What the system is about, in a few words.
    basis
        What the implementation could follow, and what therefore is a reconstruction.
    paper
        The paper whose claims it tests.
    """

    name: str
    heading: str
    basis: str
    paper: Paper | None = None


SYSTEMS = (
    System(
        "diffusion",
        "Diffusion sampling",
        "Deterministic samplers follow their own papers and the diffusers library; the seed-space "
        "method follows the abstract and the authors’ public code.",
        Paper(
            "Norm-guided latent space exploration for text-to-image generation",
            "Dvir Samuel, Rami Ben-Ari, Nir Darshan, Haggai Maron, Gal Chechik",
            "NeurIPS 2023",
            "2306.08687",
        ),
    ),
    System(
        "ranking",
        "Ranking output lengths",
        "Follows the paper’s text and the authors’ public code; the published predictors are "
        "replaced by small rankers trained here.",
        Paper(
            "Efficient LLM Scheduling by Learning to Rank",
            "Yichao Fu, Siqi Zhu, Runlong Su, Aurick Qiao, Ion Stoica, Hao Zhang",
            "NeurIPS 2024",
            "2408.15792",
        ),
    ),
    System(
        "serving",
        "LLM serving",
        "SLAI follows the authors’ public code; RAD, which that code does not contain, is "
        "reconstructed from the abstract and from readers’ accounts of the paper.",
        Paper(
            "Optimal Scheduling Algorithms for LLM Inference: Theory and Practice",
            "Agrim Bari, Parikshit Hegde, Gustavo de Veciana",
            "Proc. ACM Meas. Anal. Comput. Syst. 9(3), article 59, 2025",
            "2508.01002",
        ),
    ),
    System(
        "metalearning",
        "Meta-learning",
        "Follows the abstract, the introduction and the authors’ public code; the baselines, "
        "which that code does not contain, are reconstructed from their own papers.",
        Paper(
            "Meta-learning with an Adaptive Task Scheduler",
            "Huaxiu Yao, Yu Wang, Ying Wei, Peilin Zhao, Mehrdad Mahdavi, Defu Lian, Chelsea Finn",
            "NeurIPS 2021",
            "2110.14057",
        ),
    ),
    System(
        "trainability",
        "Loss of trainability",
        "Follows the text of the paper’s first version and the first author’s public code.",
        Paper(
            "A Unified Noise-Curvature View of Loss of Trainability",
            "Gunbir Singh Baveja, Alex Lewandowski, Mark Schmidt",
            "OPT 2025, 17th Workshop on Optimization for Machine Learning",
            "2509.19698",
        ),
    ),
    System(
        "microcontrollers",
        "Multi-core microcontrollers",
        "Follows the first part of the paper and the authors’ public code; boards are models, not "
        "measurements on hardware.",
        Paper(
            "Ariel-ML: Embedded Rust Leveraging Multicore for Neural Networks on Heterogeneous "
            "Microcontrollers",
            "Zhaolan Huang, Kaspar Schleiser, Gyungmin Myung, Emmanuel Baccelli",
            "Proc. 8th Int. Workshop on Intelligent Systems for the Internet of Things, 2026",
            "2512.09800",
        ),
    ),
    System(
        "estimation",
        "Remote estimation",
        "A reconstruction of CALM: only abstract and problem statement were available, so "
        "algorithm, networks and benchmarks are ours and no number is the paper’s.",
        Paper(
            "The Silence that Speaks: Neural Estimation via Communication Gaps",
            "Shubham Aggarwal, Dipankar Maity, Tamer Başar",
            "arXiv preprint, 2025",
            "2512.01056",
        ),
    ),
)

ACROSS = (
    System(
        "information",
        "What a scheduler knows",
        "Computed from the results of the systems, none of which it runs again: how much of the "
        "way from the naive to the clairvoyant policy a scheduler goes with what it knows.",
    ),
)
